//! Time limits for calls to stores and providers, with protection against panics and dropped
//! futures.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use tracing::Instrument as _;

use crate::BoxError;

/// How long a store call may take.
pub(crate) const STORE_LIMIT: Duration = Duration::from_secs(10);
/// How long a request waits for the renewal of its login.
pub(crate) const RENEWAL_LIMIT: Duration = Duration::from_secs(1);
/// How long the write of a renewal may take. A write that is dropped keeps its connection to a database
/// until this answers, or until TCP gives up after a quarter of an hour.
pub(crate) const RENEWAL_WRITE_LIMIT: Duration = Duration::from_secs(16 * 60);

/// Why a call returned no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("no answer within {} seconds", .0.as_secs())]
    Late(Duration),
    #[error("the call panicked")]
    Panicked,
}

/// Awaits a call with a time limit and catches its panics, so that the request still gets a
/// response.
///
/// # Errors
///
/// [`NoAnswer`] after the limit or a panic.
pub(crate) async fn answer<T>(
    limit: Duration,
    answer: impl Future<Output = T>,
) -> Result<T, NoAnswer> {
    let mut answer = pin!(answer);
    let mut poll = move |context: &mut Context<'_>| {
        // The future is not polled again after a panic.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(answer) => answer.map(Ok),
            Err(_) => Poll::Ready(Err(NoAnswer::Panicked)),
        }
    };
    // A call that is ready at once needs no timer. The timer is boxed, since it would dominate the
    // size of most futures of this crate.
    if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(poll(context))).await {
        return answer;
    }
    match Box::pin(tokio::time::timeout(limit, poll_fn(poll))).await {
        Ok(answer) => answer,
        Err(_) => Err(NoAnswer::Late(limit)),
    }
}

/// Like [`answer`], for calls that return a [`BoxError`].
pub(crate) async fn within<T>(
    limit: Duration,
    future: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    answer(limit, future).await?
}

/// Runs work in its own task, so that a client that hangs up does not abort a store write.
///
/// # Errors
///
/// [`NoAnswer::Panicked`] if the work panics.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, NoAnswer> {
    let task = tokio::spawn(work.in_current_span());
    task.await.map_err(|_| NoAnswer::Panicked)
}
