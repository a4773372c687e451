//! Writing one logout: which stores take it, and under which keys it waits for them.

use std::{
    future::{Future as _, poll_fn},
    sync::Arc,
    task::Poll,
};

use futures_util::future::join_all;

use super::{
    UnknownSubjects,
    queue::{LogoutQueue, Permit, Ticket, WaitingGuard},
    write,
};
use crate::{
    LogoutCause, LogoutScope, ProviderSession, RevocationKey, Subject, SubjectIdentifier,
    Timestamp,
    users::{AnyIdentityStore, AnyUserStore, LogoutKey},
};

/// How many users an identifier may have: it names one person.
const MOST_USERS: usize = 100;

/// A logout to write.
#[derive(Debug, Clone)]
pub(crate) enum Logout {
    /// All logins of the user with this id.
    User(String),
    /// What a provider has named.
    Provider(LogoutScope),
    /// The logins under one key, in a store that keeps revocations.
    Key {
        key: RevocationKey,
        /// When every login under the key has ended by itself.
        keep_until: Timestamp,
    },
}

/// How a logout was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteOutcome {
    LoggedOut,
    /// There is no such user.
    UnknownUser,
    /// The store keeps no revocations, and the notice does not name the user.
    SessionsNotKept,
    /// The identifier has so many users that it names no person. Nothing has ended.
    TooManyUsers,
}

/// Where a logout is written to, and the cause to keep with it.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) users: Arc<dyn AnyUserStore>,
    /// `None` for a site without a provider.
    pub(crate) identities: Option<Arc<dyn AnyIdentityStore>>,
    pub(crate) unknown_subjects: UnknownSubjects,
    pub(crate) cause: LogoutCause,
}

impl Permit {
    /// Writes a logout, however long that takes.
    ///
    /// Calls `ended` with each key. A user or subject is reported once this node refuses its logins,
    /// and other keys once they are written. The users of a subject follow once they are known.
    pub(crate) async fn write(
        self,
        stores: &Stores,
        logout: &Logout,
        ended: impl Fn(&LogoutKey),
    ) -> WriteOutcome {
        let Self {
            queue,
            guard,
            ticket,
        } = self;
        let queue = &queue;
        let _guard = guard.unwrap_or_else(|| WaitingGuard::new(queue));
        match logout {
            Logout::User(id) => log_out_user(queue, stores, id, ended).await,
            Logout::Key { key, keep_until } => {
                let enter = || queue.enter(LogoutKey::Revocation(key.clone()));
                let pending = vec![(ticket.unwrap_or_else(enter), key.clone())];
                revoke(queue, stores, pending, Some(*keep_until), ended).await
            }
            Logout::Provider(LogoutScope::Person(subject)) => {
                log_out_subject(queue, stores, subject, ended).await
            }
            Logout::Provider(LogoutScope::SessionUser(session)) => {
                log_out_session_user(queue, stores, session, ended).await
            }
            Logout::Provider(LogoutScope::Identified { issuer, identifier }) => {
                log_out_identified(queue, stores, issuer, identifier, ended).await
            }
            Logout::Provider(LogoutScope::NotedSession(session)) => {
                let key = RevocationKey::Session(session.clone());
                let pending = vec![(queue.enter(LogoutKey::Revocation(key.clone())), key)];
                revoke(queue, stores, pending, None, ended).await
            }
            Logout::Provider(LogoutScope::Session { session, person }) => {
                if stores.users.keeps_revocations() {
                    let mut keys = vec![RevocationKey::Session(session.clone())];
                    keys.extend(person.clone().map(RevocationKey::Subject));
                    let pending = keys
                        .into_iter()
                        .map(|key| (queue.enter(LogoutKey::Revocation(key.clone())), key))
                        .collect();
                    return revoke(queue, stores, pending, None, ended).await;
                }
                match person {
                    Some(subject) => log_out_subject(queue, stores, subject, ended).await,
                    None => WriteOutcome::SessionsNotKept,
                }
            }
        }
    }
}

async fn log_out_user(
    queue: &LogoutQueue,
    stores: &Stores,
    id: &str,
    ended: impl Fn(&LogoutKey),
) -> WriteOutcome {
    let key = LogoutKey::User(id.to_owned());
    let ticket = queue.enter(key.clone());
    ended(&key);
    match ticket
        .write(write::user(
            queue.failures(),
            &stores.users,
            id,
            &stores.cause,
        ))
        .await
    {
        Some(false) => WriteOutcome::UnknownUser,
        Some(true) => {
            ticket.settle();
            WriteOutcome::LoggedOut
        }
        None => WriteOutcome::LoggedOut,
    }
}

async fn log_out_subject(
    queue: &LogoutQueue,
    stores: &Stores,
    subject: &Subject,
    ended: impl Fn(&LogoutKey),
) -> WriteOutcome {
    let Some(identities) = &stores.identities else {
        return WriteOutcome::UnknownUser;
    };
    let key = LogoutKey::Subject(subject.clone());
    let ticket = queue.enter(key.clone());
    ended(&key);
    let written = |users: &[String]| {
        ticket.settle();
        for id in users {
            ended(&LogoutKey::User(id.clone()));
        }
        WriteOutcome::LoggedOut
    };
    let Stores { users, cause, .. } = stores;
    let write = || write::subject(queue.failures(), users, identities, subject, cause);
    let unknown_at = match ticket.write(write()).await {
        None => return WriteOutcome::LoggedOut,
        Some(Ok(users)) => return written(&users),
        Some(Err(unknown_at)) => unknown_at,
    };
    stores.unknown_subjects.log_out(subject, unknown_at);
    // For the other nodes, where a first login may be under way.
    if stores.users.keeps_revocations() {
        let keys = [RevocationKey::UnknownSubject(subject.clone())];
        if ticket
            .write(write::revoke(queue.failures(), &stores.users, &keys, None))
            .await
            .is_none()
        {
            return WriteOutcome::LoggedOut;
        }
    }
    // A first login that was checked before the revocation was written has made a user by now.
    match ticket.write(write()).await {
        None => WriteOutcome::LoggedOut,
        Some(Ok(users)) => written(&users),
        Some(Err(_)) => WriteOutcome::UnknownUser,
    }
}

/// Ends the logins of a session, and then all of its user: so a login in the session that is in
/// progress meanwhile has noted its user, or is revoked.
async fn log_out_session_user(
    queue: &LogoutQueue,
    stores: &Stores,
    session: &ProviderSession,
    ended: impl Fn(&LogoutKey),
) -> WriteOutcome {
    let mut outcome = WriteOutcome::SessionsNotKept;
    if stores.users.keeps_revocations() {
        let key = RevocationKey::Session(session.clone());
        let pending = vec![(queue.enter(LogoutKey::Revocation(key.clone())), key)];
        outcome = revoke(queue, stores, pending, None, &ended).await;
    }
    let Some(identities) = &stores.identities else {
        return outcome;
    };
    match write::session_user(queue.failures(), identities, session).await {
        Some(id) => log_out_user(queue, stores, &id, ended).await,
        None => outcome,
    }
}

/// Ends all logins of the users with an identifier, all at once. Users who get it later keep theirs.
async fn log_out_identified(
    queue: &LogoutQueue,
    stores: &Stores,
    issuer: &str,
    identifier: &SubjectIdentifier,
    ended: impl Fn(&LogoutKey),
) -> WriteOutcome {
    let Some(identities) = &stores.identities else {
        return WriteOutcome::UnknownUser;
    };
    let mut outcome = WriteOutcome::UnknownUser;
    for alias in identifier.aliases() {
        if let SubjectIdentifier::IssSub(subject) = alias
            && log_out_subject(queue, stores, subject, &ended).await == WriteOutcome::LoggedOut
        {
            outcome = WriteOutcome::LoggedOut;
        }
    }
    // Aliases denote one person, and a subject names that person exactly.
    if outcome == WriteOutcome::LoggedOut || !identities.knows_identifiers() {
        return outcome;
    }
    let mut ids = Vec::new();
    for alias in identifier.aliases() {
        let is_other = !matches!(
            alias,
            SubjectIdentifier::IssSub(_) | SubjectIdentifier::Unknown
        );
        if is_other {
            ids.extend(write::users_of(queue.failures(), identities, issuer, alias).await);
        }
    }
    ids.sort();
    ids.dedup();
    if ids.len() > MOST_USERS {
        return WriteOutcome::TooManyUsers;
    }
    let logouts = ids.iter().map(|id| log_out_user(queue, stores, id, &ended));
    let written = join_all(logouts).await;
    match written.contains(&WriteOutcome::LoggedOut) {
        true => WriteOutcome::LoggedOut,
        false => outcome,
    }
}

async fn revoke(
    queue: &LogoutQueue,
    stores: &Stores,
    mut pending: Vec<(Ticket, RevocationKey)>,
    keep_until: Option<Timestamp>,
    ended: impl Fn(&LogoutKey),
) -> WriteOutcome {
    while !pending.is_empty() {
        let keys: Vec<_> = pending.iter().map(|(_, key)| key.clone()).collect();
        tokio::select! {
            biased;
            () = write::revoke(queue.failures(), &stores.users, &keys, keep_until) => {
                pending.iter().for_each(|(ticket, _)| ticket.settle());
                pending.iter().for_each(|(ticket, _)| ended(&ticket.key));
                break;
            }
            // Writing it too would end the logins that began under its key since.
            () = any_superseded(&pending) => {}
        }
        pending.retain(|(ticket, _)| !ticket.is_superseded());
    }
    WriteOutcome::LoggedOut
}

/// Ready once a later logout under one of the keys is written.
async fn any_superseded(pending: &[(Ticket, RevocationKey)]) {
    let mut superseded: Vec<_> = pending
        .iter()
        .map(|(ticket, _)| Box::pin(ticket.superseded()))
        .collect();
    poll_fn(|context| {
        let mut tickets = superseded.iter_mut();
        match tickets.any(|ticket| ticket.as_mut().poll(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

#[cfg(test)]
mod tests;
