//! What the store in SQLite keeps alone.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use axum_clef::{
    IdentityStore as _, LogoutCause, Profile, Subject, SubjectIdentifier, Timestamp, User as _,
    UserStore as _,
    stores::{Account, SqliteUserStore},
};

use sqlx::{ConnectOptions as _, Row as _, SqlitePool, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::checks::{session, subject};

/// The URL of a database that is not there yet, in a directory of its own.
fn new_file() -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    (directory, url)
}

async fn new_user(store: &SqliteUserStore) -> Account {
    let profile = Profile::new(subject("12345"));
    store.find_or_create(&profile).await.unwrap().unwrap()
}

/// On a slow disk a logout would be put off otherwise.
#[tokio::test]
async fn a_logout_does_not_wait_behind_a_crowd_of_logins() {
    let (_directory, url) = new_file();
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
    let (_directory, url) = new_file();
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
    let journal: String = sqlx::query_scalar("pragma journal_mode")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(journal, "wal", "readers do not wait for a writer");
}

#[tokio::test]
async fn a_logout_that_waits_for_the_lock_ends_the_logins_made_meanwhile() {
    let (_directory, url) = new_file();
    let clock = Arc::<AtomicI64>::default();
    let reading = Arc::clone(&clock);
    let store = SqliteUserStore::connect(&url).await.unwrap();
    let store = store.with_clock(move || Timestamp::from_micros(reading.load(SeqCst)));
    let id = new_user(&store).await.id();

    let other_process = SqliteUserStore::connect(&url).await.unwrap();
    for by_subject in [false, true] {
        let writing = other_process
            .pool()
            .begin_with("begin immediate")
            .await
            .unwrap();
        clock.fetch_add(1_000, SeqCst);
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
        clock.fetch_add(1_000, SeqCst);
        let logged_in_at = store.now().await.unwrap();
        writing.rollback().await.unwrap();
        assert!(logout.await.unwrap());
        let user = store.load(&id).await.unwrap().unwrap();
        assert!(!logged_in_at.outlives(user.logged_out_at()));
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_between_two_runs_goes_on_from_where_it_was() {
    let (_directory, url) = new_file();
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
    let (_directory, url) = new_file();
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
        let (_directory, url) = new_file();
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
async fn a_database_that_another_process_writes_opens_once_it_is_free() {
    let (_directory, url) = new_file();
    let options: SqliteConnectOptions = url.parse().unwrap();
    let mut other = options.create_if_missing(true).connect().await.unwrap();
    let writes = sqlx::raw_sql("begin immediate").execute(&mut other);
    writes.await.unwrap();
    let (opened, ()) = tokio::join!(SqliteUserStore::connect(&url), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let free = sqlx::query("rollback").execute(&mut other).await;
        free.unwrap();
    });
    new_user(&opened.unwrap()).await;
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

/// The table as earlier versions created it.
const EARLIER_USERS: &str = "
    create table clef_users (
        id            integer primary key autoincrement,
        issuer        text not null,
        subject       text not null,
        first_name    text,
        last_name     text,
        email         text,
        phone_number  text,
        last_login_at integer,
        logged_out_at integer,
        unique (issuer, subject)
    ) strict
";

/// The check of a login by earlier versions, and their logout.
const EARLIER_CHECK: &str = "select clef_users.*, false as revoked from clef_users where id = 1";
const EARLIER_LOG_OUT: &str =
    "update clef_users set logged_out_at = logged_out_at + 1 where id = 1 returning id";

#[tokio::test]
async fn a_process_of_an_earlier_version_goes_on_and_its_logout_has_no_earlier_cause() {
    let (_directory, url) = new_file();
    let earlier = SqlitePool::connect(&format!("{url}?mode=rwc"))
        .await
        .unwrap();
    sqlx::query(EARLIER_USERS).execute(&earlier).await.unwrap();
    let check = async || {
        let row = sqlx::query(EARLIER_CHECK)
            .fetch_one(&earlier)
            .await
            .unwrap();
        assert!(!row.get::<bool, _>("revoked"));
        row.get::<Option<i64>, _>("logged_out_at")
    };
    let insert = "insert into clef_users (issuer, subject) values ('https://clef.test', '12345')";
    sqlx::query(insert).execute(&earlier).await.unwrap();
    assert_eq!(check().await, None);

    let store = SqliteUserStore::connect(&url).await.unwrap();
    let user = async || store.load("1").await.unwrap().unwrap();
    assert_eq!(check().await, None);
    let cause = LogoutCause::provider("session-revoked");
    assert!(store.log_out_with_cause("1", &cause).await.unwrap());
    let ours = user().await;
    assert_eq!(ours.logout_cause(), cause);
    assert_eq!(
        check().await,
        ours.logged_out_at().map(Timestamp::as_micros)
    );

    sqlx::query(EARLIER_LOG_OUT)
        .fetch_one(&earlier)
        .await
        .unwrap();
    let theirs = user().await;
    assert!(theirs.logged_out_at() > ours.logged_out_at());
    assert_eq!(theirs.logout_cause(), LogoutCause::Unknown);
}

#[tokio::test]
async fn a_cause_that_cannot_be_kept_or_read_loses_no_logout() {
    let store = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let user = new_user(&store).await;
    let spoil = sqlx::query("update clef_logout_causes set cause = 'of a later version'");
    store
        .log_out_with_cause(&user.id(), &LogoutCause::User)
        .await
        .unwrap();
    spoil.execute(store.pool()).await.unwrap();
    let first = store.load(&user.id()).await.unwrap().unwrap();
    assert_eq!(first.logout_cause(), LogoutCause::Unknown);
    assert!(first.logged_out_at().is_some());

    let refuse = "create trigger refuse before update on clef_logout_causes
        begin select raise(abort, 'no'); end";
    sqlx::query(refuse).execute(store.pool()).await.unwrap();
    assert!(
        store
            .log_out_with_cause(&user.id(), &LogoutCause::User)
            .await
            .unwrap()
    );
    let second = store.load(&user.id()).await.unwrap().unwrap();
    assert!(second.logged_out_at() > first.logged_out_at());
    assert_eq!(second.logout_cause(), LogoutCause::Unknown);
}

/// As a process of an earlier version writes it, which knows of no verification.
#[tokio::test]
async fn an_address_that_was_changed_by_hand_is_not_verified() {
    let store = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let mut profile = Profile::new(Subject::new("https://clef.test", "12345"));
    profile.email = Some("alex@example.com".to_owned());
    profile.email_verified = Some(true);
    let alex = store.find_or_create(&profile).await.unwrap().unwrap().id();
    let users_of = async |address: &str| {
        let address = SubjectIdentifier::Email(address.to_owned());
        store.users_of("https://clef.test", &address).await.unwrap()
    };
    assert_eq!(users_of("alex@example.com").await, [alex]);
    let change = "update clef_users set email = 'new@example.com'";
    sqlx::query(change).execute(store.pool()).await.unwrap();
    for address in ["alex@example.com", "new@example.com"] {
        assert!(users_of(address).await.is_empty(), "{address}");
    }
}
