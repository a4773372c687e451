//! Writing a logout, however long that takes.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::{
    BoxError, LogoutCause, ProviderSession, RevocationKey, Subject, SubjectIdentifier, Timestamp,
    log_limit::LogLimit,
    users::{AnyIdentityStore, AnyUserStore},
};

/// How long one attempt to write a logout may take, beside what the store waits on purpose.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
/// The first pause between attempts; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Writes the logout of a user. `false` if there is no such user.
pub(super) async fn user(
    failures: &LogLimit<()>,
    users: &Arc<dyn AnyUserStore>,
    id: &str,
    cause: &LogoutCause,
) -> bool {
    until_written(failures, ATTEMPT_LIMIT + users.log_out_wait(), || {
        let (users, id, cause) = (Arc::clone(users), id.to_owned(), cause.clone());
        async move { users.log_out(&id, &cause).await }
    })
    .await
}

/// Writes the logout of a subject: the ids of its users, or the time at which it had none.
pub(super) async fn subject(
    failures: &LogLimit<()>,
    users: &Arc<dyn AnyUserStore>,
    identities: &Arc<dyn AnyIdentityStore>,
    subject: &Subject,
    cause: &LogoutCause,
) -> Result<Vec<String>, Timestamp> {
    until_written(failures, ATTEMPT_LIMIT + users.log_out_wait(), || {
        let (users, identities) = (Arc::clone(users), Arc::clone(identities));
        let (subject, cause) = (subject.clone(), cause.clone());
        async move {
            let ids = identities.log_out_subject(&subject, &cause).await?;
            if !ids.is_empty() {
                return Ok(Ok(ids));
            }
            // After the lookup: a login that began before may have made a user by now.
            Ok(Err(users.now().await?))
        }
    })
    .await
}

/// Finds the user whose session at a provider it is.
pub(super) async fn session_user(
    failures: &LogLimit<()>,
    identities: &Arc<dyn AnyIdentityStore>,
    session: &ProviderSession,
) -> Option<String> {
    until_written(failures, ATTEMPT_LIMIT, || {
        let (identities, session) = (Arc::clone(identities), session.clone());
        async move { identities.session_user(&session).await }
    })
    .await
}

/// Finds the users whom a provider names by an identifier.
pub(super) async fn users_of(
    failures: &LogLimit<()>,
    identities: &Arc<dyn AnyIdentityStore>,
    issuer: &str,
    identifier: &SubjectIdentifier,
) -> Vec<String> {
    until_written(failures, ATTEMPT_LIMIT, || {
        let (identities, identifier) = (Arc::clone(identities), identifier.clone());
        let issuer = issuer.to_owned();
        async move { identities.users_of(&issuer, &identifier).await }
    })
    .await
}

/// Writes revocations, which are kept for 31 days unless `keep_until` says otherwise.
pub(super) async fn revoke(
    failures: &LogLimit<()>,
    users: &Arc<dyn AnyUserStore>,
    keys: &[RevocationKey],
    keep_until: Option<Timestamp>,
) {
    until_written(failures, ATTEMPT_LIMIT + users.log_out_wait(), || {
        let (users, keys) = (Arc::clone(users), keys.to_vec());
        async move {
            let keep_until = match keep_until {
                Some(keep_until) => keep_until,
                None => users.now().await?.after(ProviderSession::KEPT),
            };
            users.revoke(&keys, keep_until).await
        }
    })
    .await;
}

async fn until_written<T, F>(failures: &LogLimit<()>, limit: Duration, write: impl Fn() -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match attempt(limit, write()).await {
            Ok(written) => return written,
            Err(error) => error,
        };
        // As many logouts as the queue has places may fail at once.
        if let Some(count) = failures.count(()) {
            tracing::error!(
                error = ?error.to_string(),
                count,
                pause_milliseconds = pause.as_millis(),
                "a logout could not be written; this node refuses its logins and tries again"
            );
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One attempt, in a task of its own: a store that panics has failed, and one that hangs is
/// dropped.
async fn attempt<T, F>(limit: Duration, write: F) -> Result<T, BoxError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, BoxError>> + Send + 'static,
{
    // Formatted inside the task, so that a panicking `Display` fails only the attempt. `JoinSet`
    // aborts it on drop.
    let mut attempt = JoinSet::new();
    let work = async move { write.await.map_err(|error| error.to_string()) };
    attempt.spawn(work.in_current_span());
    match tokio::time::timeout(limit, attempt.join_next()).await? {
        Some(finished) => Ok(finished??),
        None => Err("the attempt was never made".into()),
    }
}
