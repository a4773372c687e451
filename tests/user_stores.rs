//! What the ready user stores keep beyond what the kit checks (`user_store_kit`): with a clock to set,
//! and what is theirs alone.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use axum_clef::{
    Profile, ProviderSession, Subject, Timestamp, User as _, UserStore,
    stores::{Account, MemoryUserStore, SqliteUserStore},
};

type Store = Arc<dyn UserStore<User = Account>>;

/// A clock that stands still until it is told.
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

/// Each ready store, with a clock to set. What keeps the files of SQLite comes along.
async fn stores() -> Vec<(Store, Clock, Option<tempfile::TempDir>)> {
    let clock = Clock::default();
    let reading = clock.clone();
    let memory = MemoryUserStore::new().with_clock(move || reading.read());
    let mut stores: Vec<(Store, _, _)> = vec![(Arc::new(memory), clock, None)];

    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let clock = Clock::default();
    let reading = clock.clone();
    let sqlite = SqliteUserStore::connect(&url).await.unwrap();
    let sqlite = sqlite.with_clock(move || reading.read());
    stores.push((Arc::new(sqlite), clock, Some(directory)));
    stores
}

fn subject(id: &str) -> Subject {
    Subject::new("https://clef.test", id)
}

async fn log_in(store: &Store, id: &str) -> Account {
    let profile = Profile::new(subject(id));
    store.log_in(&profile).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_logouts_at_once_raise_the_stamp_a_hundred_times() {
    for (store, clock, _directory) in stores().await {
        clock.set(1_000);
        let id = log_in(&store, "12345").await.id();
        let logouts = (0..100).map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.log_out(&subject("12345")).await.unwrap() })
        });
        for logout in logouts.collect::<Vec<_>>() {
            assert!(logout.await.unwrap());
        }
        // The clock stands still since the login, so each had to be one above the one before.
        let user = store.load(&id).await.unwrap().unwrap();
        assert_eq!(user.logged_out_at(), Some(Timestamp::from_micros(1_100)));
    }
}

#[tokio::test]
async fn a_logout_is_now_or_later_and_never_earlier() {
    for (store, clock, _directory) in stores().await {
        let id = log_in(&store, "12345").await.id();
        let logged_out_at = async || store.load(&id).await.unwrap().unwrap().logged_out_at();
        assert_eq!(logged_out_at().await, None);
        // The login was at 0, so no logout is.
        for (now, stamp) in [(0, 1), (500, 500), (500, 501), (100, 502), (900, 900)] {
            clock.set(now);
            assert!(store.log_out(&subject("12345")).await.unwrap());
            let stamp = Timestamp::from_micros(stamp);
            assert_eq!(logged_out_at().await, Some(stamp));
        }
        log_in(&store, "12345").await;
        let stamp = Timestamp::from_micros(900);
        assert_eq!(logged_out_at().await, Some(stamp), "a login leaves it");
        assert_eq!(store.now().await.unwrap(), stamp, "one clock");
    }
}

fn session(id: &str) -> ProviderSession {
    ProviderSession::new("https://clef.test", id)
}

/// When this session was logged out, in microseconds.
async fn ended_at(store: &Store, id: &str) -> Option<i64> {
    let ended = store.session_logged_out_at(&session(id)).await.unwrap();
    ended.map(Timestamp::as_micros)
}

#[tokio::test]
async fn the_logout_of_a_session_is_now_or_later_and_never_earlier() {
    for (store, clock, _directory) in stores().await {
        // Nobody has ever logged in, so nothing has to be later than that.
        for (now, stamp) in [(-5, -5), (-5, -4), (500, 500), (500, 501), (100, 502)] {
            clock.set(now);
            assert!(store.log_out_session(&session("abc")).await.unwrap());
            assert_eq!(ended_at(&store, "abc").await, Some(stamp));
        }
        assert_eq!(ended_at(&store, "xyz").await, None);
    }
}

#[tokio::test]
async fn the_logout_of_a_session_is_later_than_any_login_though_the_clock_stepped_back() {
    let day = 24 * 60 * 60 * 1_000_000;
    // By a little, and by far more than a clock is ever wrong.
    for stepped_back in [1, 59_000_000, 2 * day, 400 * day] {
        for (store, clock, _directory) in stores().await {
            clock.set(500 * day);
            log_in(&store, "12345").await;
            log_in(&store, "67890").await;
            let logged_in_at = store.now().await.unwrap();
            clock.set(500 * day - stepped_back);
            log_in(&store, "67890").await;
            assert!(store.log_out_session(&session("abc")).await.unwrap());
            let ended = store.session_logged_out_at(&session("abc")).await.unwrap();
            assert!(!logged_in_at.outlives(ended), "by {stepped_back}");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_session_is_kept_for_a_month_and_then_forgotten() {
    let kept = i64::try_from(ProviderSession::KEPT.as_micros()).unwrap();
    let second = 1_000_000;
    for (store, clock, _directory) in stores().await {
        for (now, id) in [(0, "first"), (second, "second")] {
            clock.set(now);
            store.log_out_session(&session(id)).await.unwrap();
        }
        // It is at a logout that others are forgotten.
        for (now, first, second) in [
            (kept - second, Some(0), Some(second)),
            (kept + second - 1, None, Some(second)),
            (kept + 2 * second, None, None),
        ] {
            clock.set(now);
            store.log_out_session(&session("another")).await.unwrap();
            assert_eq!(ended_at(&store, "first").await, first, "at {now}");
            assert_eq!(ended_at(&store, "second").await, second, "at {now}");
            assert!(ended_at(&store, "another").await.is_some());
        }
    }
}

#[tokio::test]
async fn a_session_that_ends_again_is_kept_for_a_month_from_then() {
    let kept = i64::try_from(ProviderSession::KEPT.as_micros()).unwrap();
    for (store, clock, _directory) in stores().await {
        for now in [0, kept / 2, kept + 1] {
            clock.set(now);
            assert!(store.log_out_session(&session("abc")).await.unwrap());
        }
        clock.set(kept + kept / 2);
        store.log_out_session(&session("another")).await.unwrap();
        assert_eq!(ended_at(&store, "abc").await, Some(kept + 1));
    }
}

#[tokio::test]
async fn nobody_is_nobody_whatever_the_id() {
    let long = "x".repeat(10_000);
    for (store, _, _directory) in stores().await {
        log_in(&store, "12345").await;
        // What a store may refuse, and plain numbers, which in a shared one may be somebody.
        let ids = ["0", "-1", "é\u{0}", &long];
        for id in ids {
            assert_eq!(store.load(id).await.unwrap(), None, "{id:?}");
            assert!(!store.log_out(&subject(id)).await.unwrap(), "{id:?}");
        }

        // And whoever has such an id at the provider is somebody here.
        for id in ids {
            let user = log_in(&store, id).await;
            assert_eq!(user.profile().subject.id(), id);
            assert_eq!(store.load(&user.id()).await.unwrap(), Some(user));
            assert!(store.log_out(&subject(id)).await.unwrap());
        }
    }
}

#[tokio::test]
async fn what_the_provider_tells_is_kept_up_to_date() {
    for (store, _, _directory) in stores().await {
        let mut profile = Profile::new(subject("12345"));
        profile.first_name = Some("Alex'; drop table clef_users; --".to_owned());
        profile.email = Some("alex@getclef.com".to_owned());
        let user = store.log_in(&profile).await.unwrap().unwrap();
        assert_eq!(*user.profile(), profile);
        profile.email = Some("alex@example.com".to_owned());
        store.log_in(&profile).await.unwrap();
        let user = store.load(&user.id()).await.unwrap().unwrap();
        assert_eq!(*user.profile(), profile);
    }
}

#[tokio::test]
async fn what_the_provider_does_not_tell_this_time_stays_and_logouts_survive_a_power_cut() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let store = SqliteUserStore::connect(&url).await.unwrap();
    let mut profile = Profile::new(subject("12345"));
    profile.email = Some("alex@getclef.com".to_owned());
    store.log_in(&profile).await.unwrap();
    let silent = Profile::new(subject("12345"));
    let user = store.log_in(&silent).await.unwrap().unwrap();
    assert_eq!(user.profile().email, profile.email);

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
    let user = store
        .log_in(&Profile::new(subject("12345")))
        .await
        .unwrap()
        .unwrap();

    let other_process = SqliteUserStore::connect(&url).await.unwrap();
    let writing = other_process
        .pool()
        .begin_with("begin immediate")
        .await
        .unwrap();
    clock.set(1_000);
    let logout = tokio::spawn({
        let store = store.clone();
        async move { store.log_out(&subject("12345")).await.unwrap() }
    });
    // The logout holds a connection, so it is on its way to the lock.
    while store.pool().num_idle() == store.pool().size() as usize {
        tokio::task::yield_now().await;
    }
    // Were the clock read before the lock is had, it would be read now.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    // Somebody logs in while it waits.
    clock.set(2_000);
    let logged_in_at = store.now().await.unwrap();
    writing.rollback().await.unwrap();
    assert!(logout.await.unwrap());
    let user = store.load(&user.id()).await.unwrap().unwrap();
    assert!(!logged_in_at.outlives(user.logged_out_at()));
}

#[tokio::test]
async fn a_clock_that_steps_back_lets_no_login_outlive_a_logout() {
    for (store, clock, _directory) in stores().await {
        clock.set(60_000_000);
        let logged_in_at = store.now().await.unwrap();
        let id = log_in(&store, "12345").await.id();
        clock.set(1_000_000);
        assert!(store.log_out(&subject("12345")).await.unwrap());
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
    let profile = Profile::new(subject("12345"));
    let logged_in_at = ahead.now().await.unwrap();
    ahead.log_in(&profile).await.unwrap();
    drop(ahead);

    let store = SqliteUserStore::connect(&url).await.unwrap();
    assert!(store.log_out(&subject("12345")).await.unwrap());
    let user = store.log_in(&profile).await.unwrap().unwrap();
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
    store.log_in(&Profile::new(subject("12345"))).await.unwrap();
    let ban = sqlx::query("update clef_users set logged_out_at = 4102444800000000");
    ban.execute(store.pool()).await.unwrap();
    let store = SqliteUserStore::connect(&url).await.unwrap();
    let year_2100 = Timestamp::from_micros(4_102_444_800_000_000);
    assert!(store.now().await.unwrap() < year_2100);
    let user = store.log_in(&Profile::new(subject("12345"))).await;
    let user = user.unwrap().unwrap();
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
    let alex = Profile::new(subject("12345"));
    let alex = store.log_in(&alex).await.unwrap().unwrap();
    let delete = sqlx::query("delete from clef_users");
    delete.execute(store.pool()).await.unwrap();
    let noor = Profile::new(subject("67890"));
    let noor = store.log_in(&noor).await.unwrap().unwrap();
    assert_ne!(alex.id(), noor.id());
}

#[tokio::test]
async fn the_largest_stamp_does_not_break_the_store() {
    let store = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let profile = Profile::new(subject("12345"));
    store.log_in(&profile).await.unwrap();
    let spoil = sqlx::query("update clef_users set logged_out_at = 9223372036854775807");
    spoil.execute(store.pool()).await.unwrap();
    assert!(store.log_out(&subject("12345")).await.unwrap());

    // Neither of a login nor of a session.
    let spoil = sqlx::query("update clef_users set last_login_at = 9223372036854775807");
    spoil.execute(store.pool()).await.unwrap();
    for _ in 0..2 {
        assert!(store.log_out_session(&session("abc")).await.unwrap());
        assert!(store.log_out(&subject("12345")).await.unwrap());
    }
    let ended = store.session_logged_out_at(&session("abc")).await.unwrap();
    assert_eq!(ended, Some(Timestamp::from_micros(i64::MAX)));
}

/// As on a disk that is full: the row is there, and its commit fails. Its id is another's next.
#[tokio::test]
async fn a_login_that_the_database_takes_back_is_an_error() {
    let store = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    for spoil in [
        "create table refused (id integer references nowhere (id) deferrable initially deferred)",
        "create table nowhere (id integer primary key)",
        "create trigger refuse after insert on clef_users begin insert into refused values (1); end",
    ] {
        sqlx::query(spoil).execute(store.pool()).await.unwrap();
    }
    let profile = Profile::new(subject("12345"));
    assert!(store.log_in(&profile).await.is_err());
    sqlx::query("drop trigger refuse")
        .execute(store.pool())
        .await
        .unwrap();
    let user = store.log_in(&profile).await.unwrap().unwrap();
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
