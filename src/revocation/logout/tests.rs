use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;
use crate::{BoxError, IdentityStore, Profile, ProviderKey, User, UserStore};

/// No test loads a user.
#[derive(Clone)]
enum NoUser {}

impl User for NoUser {
    fn id(&self) -> String {
        match *self {}
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        match *self {}
    }
}

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
    type User = NoUser;

    async fn load(&self, _: &str) -> Result<Option<NoUser>, BoxError> {
        Ok(None)
    }

    async fn log_in(&self, _: &str) -> Result<Option<NoUser>, BoxError> {
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
    async fn find_or_create(&self, _: &Profile) -> Result<Option<NoUser>, BoxError> {
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
    let logouts = ["1", "2"].map(|id| write(&queue, &stores(HangsOnce::default()), of_user(id)));
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
