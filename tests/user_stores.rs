//! What the ready user stores keep beyond what the kit checks (`user_store_kit`): with a clock to set,
//! and what is theirs alone.

use std::{
    slice,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
};

use axum_clef::{
    IdentityStore, LoginId, LoginReference, Profile, ProviderSession, RevocationKey, Subject,
    Timestamp, User as _, UserStore,
    stores::{Account, MemoryUserStore, SqliteUserStore},
};

/// A clock that stands still until it is set.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn set(&self, micros: i64) {
        self.0.store(micros, SeqCst);
    }

    fn read(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(SeqCst))
    }
}

/// A ready store.
#[derive(Clone)]
enum Store {
    Memory(MemoryUserStore),
    Sqlite(SqliteUserStore),
}

macro_rules! call {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match $store {
            Store::Memory(store) => store.$method($($argument),*).await.unwrap(),
            Store::Sqlite(store) => store.$method($($argument),*).await.unwrap(),
        }
    };
}

impl Store {
    async fn find_or_create(&self, profile: &Profile) -> Account {
        call!(self, find_or_create(profile)).unwrap()
    }

    /// A login of this subject, from the profile on.
    async fn log_in_subject(&self, id: &str) -> Account {
        let user = self.find_or_create(&Profile::new(subject(id))).await;
        self.log_in(&user.id()).await.unwrap()
    }

    async fn load(&self, id: &str) -> Option<Account> {
        call!(self, load(id))
    }

    async fn logged_out_at(&self, id: &str) -> Option<Timestamp> {
        self.load(id).await.unwrap().logged_out_at()
    }

    async fn log_in(&self, id: &str) -> Option<Account> {
        call!(self, log_in(id))
    }

    async fn log_out(&self, id: &str) -> bool {
        call!(self, log_out(id))
    }

    async fn log_out_subject(&self, id: &str) -> Vec<String> {
        call!(self, log_out_subject(&subject(id)))
    }

    async fn now(&self) -> Timestamp {
        call!(self, now())
    }

    /// Whether the login is revoked, and when its provider key was.
    async fn check(&self, login: LoginReference<'_>) -> (bool, Option<i64>) {
        let check = call!(self, check_login(login)).unwrap();
        let provider_revoked_at = check.provider_revoked_at.map(Timestamp::as_micros);
        (check.revoked, provider_revoked_at)
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: i64) {
        call!(self, revoke(keys, Timestamp::from_micros(keep_until)));
    }

    /// When this key was revoked, in microseconds.
    async fn revoked_at(&self, key: &RevocationKey) -> Option<i64> {
        call!(self, revoked_at(key)).map(Timestamp::as_micros)
    }
}

/// Each ready store, with a clock to set. What keeps the files of SQLite comes along.
async fn stores() -> Vec<(Store, Clock, Option<tempfile::TempDir>)> {
    let clock = Clock::default();
    let reading = clock.clone();
    let memory = MemoryUserStore::new().with_clock(move || reading.read());
    let mut stores = vec![(Store::Memory(memory), clock, None)];

    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let clock = Clock::default();
    let reading = clock.clone();
    let sqlite = SqliteUserStore::connect(&url).await.unwrap();
    let sqlite = sqlite.with_clock(move || reading.read());
    stores.push((Store::Sqlite(sqlite), clock, Some(directory)));
    stores
}

fn subject(id: &str) -> Subject {
    Subject::new("https://clef.test", id)
}

fn session(id: &str) -> RevocationKey {
    RevocationKey::Session(ProviderSession::new("https://clef.test", id))
}

fn login_id() -> LoginId {
    "AAECAwQFBgcICQoLDA0ODw".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_logouts_at_once_raise_the_stamp_a_hundred_times() {
    for (store, clock, _directory) in stores().await {
        clock.set(1_000);
        let id = store.log_in_subject("12345").await.id();
        let logouts = (0..100).map(|turn| {
            let (store, id) = (store.clone(), id.clone());
            tokio::spawn(async move {
                match turn % 2 {
                    0 => store.log_out(&id).await,
                    _ => store.log_out_subject("12345").await == [id],
                }
            })
        });
        for logout in logouts.collect::<Vec<_>>() {
            assert!(logout.await.unwrap());
        }
        // The clock stands still since the login, so each had to be one above the one before.
        let stamp = store.logged_out_at(&id).await;
        assert_eq!(stamp, Some(Timestamp::from_micros(1_100)));
    }
}

#[tokio::test]
async fn a_logout_is_now_or_later_and_never_earlier() {
    for (store, clock, _directory) in stores().await {
        let id = store.log_in_subject("12345").await.id();
        assert_eq!(store.logged_out_at(&id).await, None);
        // The login was at 0, so no logout is.
        for (now, stamp) in [(0, 1), (500, 500), (500, 501), (100, 502), (900, 900)] {
            clock.set(now);
            assert!(store.log_out(&id).await);
            let stamp = Timestamp::from_micros(stamp);
            assert_eq!(store.logged_out_at(&id).await, Some(stamp));
        }
        store.log_in_subject("12345").await;
        let stamp = Timestamp::from_micros(900);
        let after_login = store.logged_out_at(&id).await;
        assert_eq!(after_login, Some(stamp), "a login leaves it");
        assert_eq!(store.now().await, stamp, "one clock");
    }
}

#[tokio::test]
async fn a_user_who_never_logged_in_can_be_logged_out() {
    for (store, clock, _directory) in stores().await {
        clock.set(-5);
        let user = store.find_or_create(&Profile::new(subject("12345"))).await;
        assert!(store.log_out(&user.id()).await);
        let stamp = store.logged_out_at(&user.id()).await;
        assert_eq!(stamp, Some(Timestamp::from_micros(-5)));
    }
}

#[tokio::test]
async fn a_revocation_is_now_or_later_and_never_earlier() {
    for (store, clock, _directory) in stores().await {
        // There was no login yet, so nothing has to be later than that.
        for (now, stamp) in [(-5, -5), (-5, -4), (500, 500), (500, 501), (100, 502)] {
            clock.set(now);
            store.revoke(&[session("abc")], 1_000).await;
            assert_eq!(store.revoked_at(&session("abc")).await, Some(stamp));
        }
        assert_eq!(store.revoked_at(&session("xyz")).await, None);
    }
}

#[tokio::test]
async fn a_revocation_is_later_than_any_login_though_the_clock_stepped_back() {
    let day = 24 * 60 * 60 * 1_000_000;
    // By a little, and by far more than a clock is ever wrong.
    for stepped_back in [1, 59_000_000, 2 * day, 400 * day] {
        for (store, clock, _directory) in stores().await {
            clock.set(500 * day);
            store.log_in_subject("12345").await;
            store.log_in_subject("67890").await;
            let logged_in_at = store.now().await.as_micros();
            clock.set(500 * day - stepped_back);
            store.log_in_subject("67890").await;
            let keys = [session("abc"), RevocationKey::Login(login_id())];
            store.revoke(&keys, 600 * day).await;
            for key in &keys {
                let revoked_at = store.revoked_at(key).await;
                assert!(revoked_at > Some(logged_in_at), "by {stepped_back}");
            }
        }
    }
}

#[tokio::test]
async fn a_login_is_checked_by_its_id_and_its_provider_key() {
    for (store, clock, _directory) in stores().await {
        let id = store.log_in_subject("12345").await.id();
        let login = LoginReference::new(&id);
        let (session, alex) = (session("abc"), RevocationKey::Subject(subject("12345")));
        clock.set(7);
        for (revoked, expected) in [
            (RevocationKey::UnknownSubject(subject("12345")), [None; 2]),
            (session.clone(), [Some(7), None]),
            (alex.clone(), [Some(7), Some(7)]),
        ] {
            store.revoke(&[revoked], 1_000).await;
            for (key, revoked_at) in [&session, &alex].into_iter().zip(expected) {
                let login = login.with_provider_key(key.provider_key());
                let check = store.check(login.with_id(login_id())).await;
                assert_eq!(check, (false, revoked_at), "{key:?}");
            }
        }
        let key = RevocationKey::Login(login_id());
        store.revoke(&[key], 1_000).await;
        let check = store.check(login.with_id(login_id())).await;
        assert_eq!(check, (true, None));
        assert_eq!(store.check(login).await, (false, None));
    }
}

#[tokio::test]
async fn a_revocation_is_kept_until_its_time_and_then_removed() {
    for (store, clock, _directory) in stores().await {
        let (first, second) = (session("first"), session("second"));
        store.revoke(slice::from_ref(&first), 10).await;
        store.revoke(slice::from_ref(&second), 20).await;
        for (now, first_kept, second_kept) in [
            (10, true, true),
            (11, false, true),
            (20, false, true),
            (21, false, false),
        ] {
            clock.set(now);
            // Old ones are removed when others are written; in memory not at every call.
            for call in 0..2_000 {
                let other = session(&format!("{now} {call}"));
                store.revoke(&[other], now).await;
                if matches!(store, Store::Sqlite(_)) {
                    break;
                }
            }
            let kept = store.revoked_at(&first).await.is_some();
            assert_eq!(kept, first_kept, "at {now}");
            let kept = store.revoked_at(&second).await.is_some();
            assert_eq!(kept, second_kept, "at {now}");
        }
    }
}

#[tokio::test]
async fn the_time_that_a_revocation_is_kept_only_rises() {
    for (store, clock, _directory) in stores().await {
        for keep_until in [10, 30, 20] {
            store.revoke(&[session("abc")], keep_until).await;
        }
        clock.set(30);
        store.revoke(&[session("another")], 1_000).await;
        assert!(store.revoked_at(&session("abc")).await.is_some());
    }
}

#[tokio::test]
async fn an_unknown_id_is_no_user_and_no_error() {
    let long = "x".repeat(10_000);
    for (store, _, _directory) in stores().await {
        let known = store.log_in_subject("12345").await.id();
        // What a store may refuse, and plain numbers, which in a shared one may be users.
        let ids = ["0", "-1", "é\u{0}", &long];
        // A logout of another spelling would end logins that are kept under the id as it is.
        let spellings = ["+", "0", "00", "-0", "+0"].map(|sign| format!("{sign}{known}"));
        for id in ids.into_iter().chain(spellings.iter().map(String::as_str)) {
            assert_eq!(store.load(id).await, None, "{id:?}");
            assert_eq!(store.log_in(id).await, None, "{id:?}");
            assert!(!store.log_out(id).await, "{id:?}");
            assert!(store.log_out_subject(id).await.is_empty(), "{id:?}");
        }

        // And a subject with such an id at the provider is a user here.
        for id in ids {
            let user = store.log_in_subject(id).await;
            assert_eq!(user.profile().subject.id(), id);
            assert_eq!(store.load(&user.id()).await, Some(user.clone()));
            assert_eq!(store.log_out_subject(id).await, [user.id()]);
        }
    }
}

#[tokio::test]
async fn what_the_provider_says_is_kept_up_to_date() {
    for (store, _, _directory) in stores().await {
        let mut profile = Profile::new(subject("12345"));
        profile.first_name = Some("Alex'; drop table clef_users; --".to_owned());
        profile.email = Some("alex@getclef.com".to_owned());
        let user = store.find_or_create(&profile).await;
        assert_eq!(*user.profile(), profile);
        profile.email = Some("alex@example.com".to_owned());
        store.find_or_create(&profile).await;
        let user = store.load(&user.id()).await.unwrap();
        assert_eq!(*user.profile(), profile);
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_lets_no_login_outlive_a_logout() {
    for (store, clock, _directory) in stores().await {
        clock.set(60_000_000);
        let logged_in_at = store.now().await;
        let id = store.log_in_subject("12345").await.id();
        // Another login, by the clock that stepped back, hides nothing of the first.
        clock.set(1_000_000);
        store.log_in_subject("12345").await;
        assert!(store.log_out(&id).await);
        assert!(!logged_in_at.outlives(store.logged_out_at(&id).await));
    }
}

async fn new_user(store: &SqliteUserStore) -> Account {
    let profile = Profile::new(subject("12345"));
    store.find_or_create(&profile).await.unwrap().unwrap()
}

/// On a slow disk a logout would be put off otherwise.
#[tokio::test]
async fn a_logout_does_not_wait_behind_a_crowd_of_logins() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let store = SqliteUserStore::connect(&url).await.unwrap();
    let id = new_user(&store).await.id();
    let mut another = store.pool().begin().await.unwrap();
    sqlx::query("update clef_users set id = id")
        .execute(&mut *another)
        .await
        .unwrap();
    let logins = [(); 30].map(|()| {
        let (store, id) = (store.clone(), id.clone());
        tokio::spawn(async move { store.log_in(&id).await.unwrap() })
    });
    // All wait for the other writer.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let logout = store.log_out(&id);
    let (logged_out, ()) = tokio::join!(logout, async { another.rollback().await.unwrap() });
    assert!(logged_out.unwrap());
    let before = logins.iter().filter(|login| login.is_finished()).count();
    assert!(before <= 2, "{before} logins were written before it");
    for login in logins {
        assert!(login.await.unwrap().is_some());
    }
}

#[tokio::test]
async fn what_the_provider_leaves_out_stays_and_logouts_survive_a_power_cut() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let store = SqliteUserStore::connect(&url).await.unwrap();
    let mut profile = Profile::new(subject("12345"));
    profile.email = Some("alex@getclef.com".to_owned());
    store.find_or_create(&profile).await.unwrap();
    assert_eq!(new_user(&store).await.profile().email, profile.email);

    let synchronous: i64 = sqlx::query_scalar("pragma synchronous")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(synchronous, 2, "full");
}

#[tokio::test]
async fn a_logout_that_waits_for_the_lock_ends_the_logins_made_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let clock = Clock::default();
    let store = {
        let clock = clock.clone();
        let store = SqliteUserStore::connect(&url).await.unwrap();
        store.with_clock(move || clock.read())
    };
    let id = new_user(&store).await.id();

    let other_process = SqliteUserStore::connect(&url).await.unwrap();
    for by_subject in [false, true] {
        let writing = other_process
            .pool()
            .begin_with("begin immediate")
            .await
            .unwrap();
        clock.set(clock.read().as_micros() + 1_000);
        let logout = tokio::spawn({
            let (store, id) = (store.clone(), id.clone());
            async move {
                match by_subject {
                    false => store.log_out(&id).await.unwrap(),
                    true => store.log_out_subject(&subject("12345")).await.unwrap() == [id],
                }
            }
        });
        // The logout holds a connection, so it is on its way to the lock.
        while store.pool().num_idle() == store.pool().size() as usize {
            tokio::task::yield_now().await;
        }
        // A clock that is read before the lock is acquired would be read now.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        // A login while it waits.
        clock.set(clock.read().as_micros() + 1_000);
        let logged_in_at = store.now().await.unwrap();
        writing.rollback().await.unwrap();
        assert!(logout.await.unwrap());
        let user = store.load(&id).await.unwrap().unwrap();
        assert!(!logged_in_at.outlives(user.logged_out_at()));
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_between_two_runs_goes_on_from_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let ahead = SqliteUserStore::connect(&url).await.unwrap();
    let half_an_hour = 30 * 60 * 1_000_000;
    let later = Timestamp::now().as_micros() + half_an_hour;
    let ahead = ahead.with_clock(move || Timestamp::from_micros(later));
    let logged_in_at = ahead.now().await.unwrap();
    let id = new_user(&ahead).await.id();
    ahead.log_in(&id).await.unwrap();
    drop(ahead);

    let store = SqliteUserStore::connect(&url).await.unwrap();
    assert!(store.log_out(&id).await.unwrap());
    let user = store.log_in(&id).await.unwrap().unwrap();
    assert!(!logged_in_at.outlives(user.logged_out_at()));
    let logged_in_at = store.now().await.unwrap();
    assert!(
        logged_in_at.outlives(user.logged_out_at()),
        "a new login works"
    );
    assert_ne!(store.now().await.unwrap(), logged_in_at);
}

#[tokio::test]
async fn a_stamp_far_ahead_keeps_one_user_out_and_does_not_move_the_clock() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let store = SqliteUserStore::connect(&url).await.unwrap();
    let id = new_user(&store).await.id();
    let ban = sqlx::query("update clef_users set logged_out_at = 4102444800000000");
    ban.execute(store.pool()).await.unwrap();
    let store = SqliteUserStore::connect(&url).await.unwrap();
    let year_2100 = Timestamp::from_micros(4_102_444_800_000_000);
    assert!(store.now().await.unwrap() < year_2100);
    let user = store.log_in(&id).await.unwrap().unwrap();
    assert!(!store.now().await.unwrap().outlives(user.logged_out_at()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_can_open_a_database_that_is_not_there_yet() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("users.db").display());
        let opening = (0..8).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { SqliteUserStore::connect(&url).await.map(drop) })
        });
        for opened in opening.collect::<Vec<_>>() {
            opened.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn the_id_of_a_deleted_user_is_never_given_again() {
    let store = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let alex = new_user(&store).await;
    let delete = sqlx::query("delete from clef_users");
    delete.execute(store.pool()).await.unwrap();
    assert_eq!(store.log_in(&alex.id()).await.unwrap(), None);
    let noor = new_user(&store).await;
    assert_ne!(alex.id(), noor.id());
}

#[tokio::test]
async fn the_largest_stamp_does_not_break_the_store() {
    let store = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let id = new_user(&store).await.id();
    let spoil = sqlx::query("update clef_users set logged_out_at = 9223372036854775807");
    spoil.execute(store.pool()).await.unwrap();
    assert!(store.log_out(&id).await.unwrap());

    // Neither of a login nor of a revocation.
    let spoil = sqlx::query("update clef_users set last_login_at = 9223372036854775807");
    spoil.execute(store.pool()).await.unwrap();
    let latest = Timestamp::from_micros(i64::MAX);
    for _ in 0..2 {
        store.log_in(&id).await.unwrap();
        store.revoke(&[session("abc")], latest).await.unwrap();
        assert!(store.log_out(&id).await.unwrap());
    }
    let revoked_at = store.revoked_at(&session("abc")).await.unwrap();
    assert_eq!(revoked_at, Some(latest));
}

/// As on a disk that is full: the row is there, and its commit fails.
#[tokio::test]
async fn a_write_that_the_database_takes_back_is_an_error() {
    let store = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let id = new_user(&store).await.id();
    for spoil in [
        "create table refused (id integer references nowhere (id) deferrable initially deferred)",
        "create table nowhere (id integer primary key)",
        "create trigger refuse after insert on clef_users begin insert into refused values (1); end",
        "create trigger refuse_too after update on clef_users
            begin insert into refused values (1); end",
        "create trigger refuse_keys after insert on clef_revocations
            begin insert into refused values (1); end",
    ] {
        sqlx::query(spoil).execute(store.pool()).await.unwrap();
    }
    // The id of a user that is not kept is another's next.
    let profile = Profile::new(subject("67890"));
    assert!(store.find_or_create(&profile).await.is_err());
    assert!(store.log_in(&id).await.is_err());
    assert!(store.log_out(&id).await.is_err());
    assert!(store.log_out_subject(&subject("12345")).await.is_err());
    let revoked = store.revoke(&[session("abc")], Timestamp::now()).await;
    assert!(revoked.is_err());
    for trigger in ["refuse", "refuse_too", "refuse_keys"] {
        let drop = format!("drop trigger {trigger}");
        sqlx::query(&drop).execute(store.pool()).await.unwrap();
    }
    let user = store.find_or_create(&profile).await.unwrap().unwrap();
    assert!(store.load(&user.id()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users.db");
    std::fs::write(&file, "x".repeat(4096)).unwrap();
    let url = format!("sqlite://{}", file.display());
    assert!(SqliteUserStore::connect(&url).await.is_err());
    assert!(
        SqliteUserStore::connect("sqlite:///no/such/place/users.db")
            .await
            .is_err()
    );
    assert!(
        SqliteUserStore::connect("postgres://localhost")
            .await
            .is_err()
    );
}
