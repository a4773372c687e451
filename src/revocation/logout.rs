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
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::{BoxError, IdentityStore, Profile, ProviderKey, UserStore, stores::Account};

    /// A store that hangs at the first logout and takes the second.
    #[derive(Default)]
    struct HangsOnce {
        logouts: AtomicUsize,
        keeps_revocations: bool,
        /// The users of any identifier.
        identified: Vec<String>,
    }

    impl HangsOnce {
        async fn write(&self) {
            if self.logouts.fetch_add(1, Ordering::SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
        }
    }

    impl UserStore for HangsOnce {
        type User = Account;

        async fn load(&self, _: &str) -> Result<Option<Account>, BoxError> {
            Ok(None)
        }

        async fn log_in(&self, _: &str) -> Result<Option<Account>, BoxError> {
            Ok(None)
        }

        async fn log_out(&self, _: &str) -> Result<bool, BoxError> {
            self.write().await;
            Ok(true)
        }

        fn keeps_revocations(&self) -> bool {
            self.keeps_revocations
        }

        async fn revoke(&self, _: &[RevocationKey], _: Timestamp) -> Result<(), BoxError> {
            self.write().await;
            Ok(())
        }
    }

    impl IdentityStore for HangsOnce {
        async fn find_or_create(&self, _: &Profile) -> Result<Option<Account>, BoxError> {
            Ok(None)
        }

        async fn log_out_subject(&self, _: &Subject) -> Result<Vec<String>, BoxError> {
            self.write().await;
            Ok(vec!["1".to_owned()])
        }

        fn knows_identifiers(&self) -> bool {
            !self.identified.is_empty()
        }

        async fn users_of(&self, _: &str, _: &SubjectIdentifier) -> Result<Vec<String>, BoxError> {
            Ok(self.identified.clone())
        }
    }

    fn stores(store: impl Into<Arc<HangsOnce>>) -> Stores {
        let store = store.into();
        Stores {
            users: Arc::clone(&store) as Arc<dyn AnyUserStore>,
            identities: Some(store as Arc<dyn AnyIdentityStore>),
            unknown_subjects: UnknownSubjects::default(),
            cause: LogoutCause::Unknown,
        }
    }

    fn subject(id: &str) -> Subject {
        Subject::new("https://clef.test", id)
    }

    /// A logout that hangs at first, with a permit of its own.
    fn write(
        queue: &LogoutQueue,
        stores: &Stores,
        logout: Logout,
    ) -> tokio::task::JoinHandle<WriteOutcome> {
        let (permit, stores) = (queue.permit().unwrap(), stores.clone());
        tokio::spawn(async move { permit.write(&stores, &logout, |_| {}).await })
    }

    fn of_user(id: &str) -> Logout {
        Logout::User(id.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn permits_are_bounded_and_come_back() {
        let queue = LogoutQueue::new(2);
        let logouts =
            ["1", "2"].map(|id| write(&queue, &stores(HangsOnce::default()), of_user(id)));
        tokio::task::yield_now().await;
        assert!(queue.permit().is_none());
        for logout in logouts {
            assert_eq!(logout.await.unwrap(), WriteOutcome::LoggedOut);
        }
        assert!(queue.permit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_notice_that_is_only_verified_takes_no_permit_from_another() {
        let queue = LogoutQueue::new(1);
        let forged = [queue.permit(), queue.permit(), queue.permit()];
        assert!(forged.iter().all(Option::is_some));
        let logout = write(&queue, &stores(HangsOnce::default()), of_user("1"));
        tokio::task::yield_now().await;
        assert!(queue.permit().is_none(), "it waits for the store");
        logout.abort();
        assert!(logout.await.unwrap_err().is_cancelled());
        assert!(queue.permit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_with_its_user_where_no_revocations_are_kept() {
        let queue = LogoutQueue::new(1);
        let session = crate::ProviderSession::new("https://clef.test", "abc");
        let alex = subject("12345");
        let scope = LogoutScope::session(session, Some(alex.clone()));
        let logout = Logout::Provider(scope);
        let logout = write(&queue, &stores(HangsOnce::default()), logout);
        tokio::task::yield_now().await;
        assert!(queue.contains("1", None, Some(&alex), None));
        assert!(!queue.contains("2", None, Some(&subject("67890")), None));
        assert_eq!(logout.await.unwrap(), WriteOutcome::LoggedOut);
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_and_the_logins_without_one_are_refused_until_they_are_revoked() {
        let queue = LogoutQueue::new(1);
        let issuer = "https://clef.test";
        let session = crate::ProviderSession::new(issuer, "abc");
        let scope = LogoutScope::session(session, Some(subject("12345")));
        let store = HangsOnce {
            keeps_revocations: true,
            ..HangsOnce::default()
        };
        let logout = write(&queue, &stores(store), Logout::Provider(scope));
        tokio::task::yield_now().await;
        let contains = |key| queue.contains("1", None, Some(&subject("12345")), Some(key));
        assert!(contains(ProviderKey::Session { issuer, id: "abc" }));
        assert!(contains(ProviderKey::Subject {
            issuer,
            id: "12345"
        }));
        assert!(!contains(ProviderKey::Session {
            issuer,
            id: "another"
        }));
        assert_eq!(logout.await.unwrap(), WriteOutcome::LoggedOut);
        assert_eq!(queue.len(), 0);
    }

    fn of_identifier(identifier: SubjectIdentifier) -> Logout {
        Logout::Provider(LogoutScope::identified("https://clef.test", identifier))
    }

    fn email() -> SubjectIdentifier {
        SubjectIdentifier::Email("alex@clef.test".to_owned())
    }

    /// An identifier has the users 1 to `count`, of which one twice.
    fn identified(count: usize) -> Arc<HangsOnce> {
        let ids = (1..=count).chain([count]).map(|id| id.to_string());
        Arc::new(HangsOnce {
            identified: ids.collect(),
            ..HangsOnce::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn users_of_an_identifier_do_not_wait_for_each_other() {
        for identifier in [email(), SubjectIdentifier::Aliases(vec![email(), email()])] {
            let (queue, store) = (LogoutQueue::new(1), identified(MOST_USERS));
            let stores = stores(Arc::clone(&store));
            let logout = write(&queue, &stores, of_identifier(identifier));
            // One hangs. The others are written at once.
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(store.logouts.load(Ordering::SeqCst), MOST_USERS);
            assert_eq!(queue.len(), 1);
            assert_eq!(logout.await.unwrap(), WriteOutcome::LoggedOut);
            assert_eq!(queue.len(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_identifier_without_a_user_or_with_too_many_ends_nothing() {
        let queue = LogoutQueue::new(1);
        for (stores, identifier, expected) in [
            (
                stores(identified(MOST_USERS + 1)),
                email(),
                WriteOutcome::TooManyUsers,
            ),
            (
                stores(HangsOnce::default()),
                email(),
                WriteOutcome::UnknownUser,
            ),
            (
                stores(identified(1)),
                SubjectIdentifier::Unknown,
                WriteOutcome::UnknownUser,
            ),
        ] {
            let logout = write(&queue, &stores, of_identifier(identifier));
            assert_eq!(logout.await.unwrap(), expected);
        }
    }

    /// All denote one person, so what else it is called by ends no others.
    #[tokio::test(start_paused = true)]
    async fn the_users_of_a_subject_are_those_of_its_aliases() {
        let queue = LogoutQueue::new(1);
        let alex = || SubjectIdentifier::IssSub(subject("12345"));
        for aliases in [vec![email(), alex()], vec![alex(), email()]] {
            for count in [5, MOST_USERS + 1] {
                let store = identified(count);
                let logout = of_identifier(SubjectIdentifier::Aliases(aliases.clone()));
                let logout = write(&queue, &stores(Arc::clone(&store)), logout);
                assert_eq!(logout.await.unwrap(), WriteOutcome::LoggedOut);
                assert_eq!(store.logouts.load(Ordering::SeqCst), 2, "one hangs");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_and_a_subject_need_no_store_that_knows_identifiers() {
        let alex = SubjectIdentifier::IssSub(subject("12345"));
        let scope = LogoutScope::identified("https://elsewhere.test", alex.clone());
        assert_eq!(scope, LogoutScope::Person(subject("12345")));
        let aliases = SubjectIdentifier::Aliases(vec![email(), alex]);
        let queue = LogoutQueue::new(1);
        let logout = of_identifier(aliases);
        let logout = write(&queue, &stores(HangsOnce::default()), logout);
        assert_eq!(logout.await.unwrap(), WriteOutcome::LoggedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_logout_that_is_written_settles_those_that_came_before() {
        let queue = LogoutQueue::new(2);
        let stores = stores(HangsOnce::default());
        let begun_at = tokio::time::Instant::now();
        let hangs = write(&queue, &stores, of_user("1"));
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        let second = write(&queue, &stores, of_user("1"));
        assert_eq!(second.await.unwrap(), WriteOutcome::LoggedOut);
        assert_eq!(hangs.await.unwrap(), WriteOutcome::LoggedOut);
        assert_eq!(queue.len(), 0);
        assert_eq!(begun_at.elapsed(), Duration::ZERO, "neither waits");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_dropped_and_made_again() {
        let queue = LogoutQueue::new(1);
        let logout = write(&queue, &stores(HangsOnce::default()), of_user("1"));
        let written = tokio::time::timeout(Duration::from_secs(60), logout).await;
        assert_eq!(written.unwrap().unwrap(), WriteOutcome::LoggedOut);
    }
}
