//! Writing a logout, however long that takes.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::task::JoinSet;

use crate::{BoxError, ProviderSession, Subject, Timestamp, user::AnyUserStore};

/// How long one attempt to write a logout may take, beside what the store waits on purpose.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
/// The first pause between attempts; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What became of the logout of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It stands in the store.
    ForUser,
    /// There is no such user; when that was so.
    ForNobody(Timestamp),
}

/// Writes the logout of a person.
pub(super) async fn person(users: &Arc<dyn AnyUserStore>, subject: &Subject) -> Written {
    until_it_holds(ATTEMPT_LIMIT + users.log_out_wait(), || {
        let (users, subject) = (Arc::clone(users), subject.clone());
        async move {
            if users.log_out(&subject).await? {
                return Ok(Written::ForUser);
            }
            // After the store has looked: whoever began to log in before may be in by now.
            Ok(Written::ForNobody(users.now().await?))
        }
    })
    .await
}

/// Writes the logout of a session at a provider. `false`: the store does not keep such.
pub(super) async fn session(users: &Arc<dyn AnyUserStore>, session: &ProviderSession) -> bool {
    until_it_holds(ATTEMPT_LIMIT + users.log_out_wait(), || {
        let (users, session) = (Arc::clone(users), session.clone());
        async move { users.log_out_session(&session).await }
    })
    .await
}

async fn until_it_holds<T, F>(limit: Duration, write: impl Fn() -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt(limit, write()).await {
            Ok(written) => return written,
            Err(error) => {
                tracing::error!(
                    error = ?error.to_string(),
                    pause_milliseconds = pause.as_millis(),
                    "a logout could not be written; this node refuses the person and tries again"
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One attempt, in a task of its own: a store that panics has failed, no more, and one that
/// hangs is given up.
async fn attempt<T, F>(limit: Duration, write: F) -> Result<T, BoxError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    // Put into words in there, so that an error that panics has failed and no more. A set, and
    // not a handle: whoever does not wait any more stops it.
    let mut attempt = JoinSet::new();
    attempt.spawn(async move { write.await.map_err(|error| error.to_string()) });
    match tokio::time::timeout(limit, attempt.join_next()).await? {
        Some(finished) => Ok(finished??),
        None => Err("the attempt was never made".into()),
    }
}
