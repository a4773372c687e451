//! Time limits for calls to stores and providers, and what becomes of a panic or a hang-up.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use tracing::Instrument as _;

use crate::BoxError;

/// How long a store may take for one answer. One that hangs is one that cannot answer.
pub(crate) const STORE_LIMIT: Duration = Duration::from_secs(10);

/// Why there is no answer, good or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("no answer within {} seconds", .0.as_secs())]
    Late(Duration),
    #[error("a panic instead of an answer")]
    Panicked,
}

/// Waits for an answer, but no longer than a limit. Whoever panics has not answered: the
/// request goes on, and its sender hears more than a broken connection.
///
/// # Errors
///
/// When there is none.
pub(crate) async fn answer<T>(
    limit: Duration,
    answer: impl Future<Output = T>,
) -> Result<T, NoAnswer> {
    let mut answer = pin!(answer);
    let mut poll = move |context: &mut Context<'_>| {
        // It is not asked again after a panic, and what it shared is the stores' own.
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(answer) => answer.map(Ok),
            Err(_) => Poll::Ready(Err(NoAnswer::Panicked)),
        }
    };
    // Whoever answers at once needs no timer, and whoever does not has time for a box: the
    // timer would be the larger part of most futures of this crate.
    if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(poll(context))).await {
        return answer;
    }
    match Box::pin(tokio::time::timeout(limit, poll_fn(poll))).await {
        Ok(answer) => answer,
        Err(_) => Err(NoAnswer::Late(limit)),
    }
}

/// As [`answer`], where a bad answer and none are the same.
pub(crate) async fn within<T>(
    limit: Duration,
    future: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    answer(limit, future).await?
}

/// Runs work in a task of its own, to its end even if this future is dropped: a client that hangs
/// up does not abort a store's write.
///
/// # Errors
///
/// When the work panics.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, NoAnswer> {
    let task = tokio::spawn(work.in_current_span());
    task.await.map_err(|_| NoAnswer::Panicked)
}

/// As [`within`], to its end even if this future is dropped.
pub(crate) async fn detached_within<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = Result<T, BoxError>> + Send + 'static,
) -> Result<T, BoxError> {
    detached(within(limit, work)).await?
}
