//! Logouts that wait for somebody else who has the row.

use std::time::{Duration, Instant};

use axum_clef::{
    Profile, ProviderSession, Subject, Timestamp, User as _, UserStore as _,
    stores::PostgresUserStore,
};
use sqlx::{Postgres, Transaction};
use tokio::task::JoinHandle;

use crate::database::Database;

fn alex() -> Subject {
    Subject::new("https://clef.test", "12345")
}

fn session() -> ProviderSession {
    ProviderSession::new("https://id.test", "08a5019c")
}

/// Whoever has the row, and how they go.
#[derive(Clone, Copy, Debug)]
enum Other {
    LocksAndLeaves,
    ChangesAndTakesItBack,
    ChangesAndCommits,
}

const OTHERS: [Other; 3] = [
    Other::LocksAndLeaves,
    Other::ChangesAndTakesItBack,
    Other::ChangesAndCommits,
];

impl Other {
    async fn take(self, store: &PostgresUserStore, table: &str) -> Transaction<'static, Postgres> {
        let mut transaction = store.pool().begin().await.unwrap();
        let statement = match self {
            Self::LocksAndLeaves => format!("select 1 from {table} for update"),
            _ => format!("update {table} set logged_out_at = logged_out_at"),
        };
        let taken = sqlx::query(&statement).execute(&mut *transaction).await;
        assert_eq!(taken.unwrap().rows_affected(), 1);
        transaction
    }

    async fn go(self, transaction: Transaction<'static, Postgres>) {
        let gone = match self {
            Self::ChangesAndCommits => transaction.commit().await,
            _ => transaction.rollback().await,
        };
        gone.unwrap();
    }
}

/// Waits until somebody waits for a lock in this database.
async fn somebody_waits(database: &Database, store: &PostgresUserStore) {
    let waiting = "select count(*) from pg_stat_activity
                   where application_name = $1 and wait_event_type = 'Lock'";
    let begun_at = Instant::now();
    while begun_at.elapsed() < Duration::from_secs(5) {
        let waiting = sqlx::query_scalar(waiting).bind(&database.schema);
        let count: i64 = waiting.fetch_one(store.pool()).await.unwrap();
        if count == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nobody waits for the lock");
}

/// Lets a logout wait for somebody else. Gives when somebody logged in meanwhile.
async fn meanwhile(
    database: &Database,
    store: &PostgresUserStore,
    table: &str,
    other: Other,
    log_out: impl Future<Output = bool> + Send + 'static,
) -> Timestamp {
    let transaction = other.take(store, table).await;
    let logout: JoinHandle<bool> = tokio::spawn(log_out);
    somebody_waits(database, store).await;
    let logged_in_at = store.now().await.unwrap();
    assert!(!logout.is_finished());
    other.go(transaction).await;
    assert!(logout.await.unwrap());
    logged_in_at
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_that_waits_ends_the_logins_made_meanwhile() {
    let database = Database::create().await;
    let store = database.open().await;
    let profile = Profile::new(alex());
    let id = store.log_in(&profile).await.unwrap().unwrap().id();
    for other in OTHERS {
        let log_out = {
            let store = store.clone();
            async move { store.log_out(&alex()).await.unwrap() }
        };
        let logged_in_at = meanwhile(&database, &store, "clef_users", other, log_out).await;
        let stamp = store.load(&id).await.unwrap().unwrap().logged_out_at();
        assert!(!logged_in_at.outlives(stamp), "{other:?}");
        let now = store.now().await.unwrap();
        assert!(now.outlives(stamp), "a new login works: {other:?}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_logout_of_a_session_that_waits_ends_the_logins_made_meanwhile() {
    let database = Database::create().await;
    let store = database.open().await;
    assert!(store.log_out_session(&session()).await.unwrap());
    for other in OTHERS {
        let log_out = {
            let store = store.clone();
            async move { store.log_out_session(&session()).await.unwrap() }
        };
        let table = "clef_provider_sessions";
        let logged_in_at = meanwhile(&database, &store, table, other, log_out).await;
        let stamp = store.session_logged_out_at(&session()).await.unwrap();
        assert!(!logged_in_at.outlives(stamp), "{other:?}");
        let now = store.now().await.unwrap();
        assert!(now.outlives(stamp), "a new login works: {other:?}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_that_is_given_up_is_not_written_later() {
    let database = Database::create().await;
    let store = database.open().await;
    let profile = Profile::new(alex());
    let id = store.log_in(&profile).await.unwrap().unwrap().id();
    let transaction = Other::LocksAndLeaves.take(&store, "clef_users").await;
    // As whoever writes a logout gives an attempt up.
    let logout = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .log_out(&alex())
                .await
                .map_err(|error| error.to_string())
        }
    });
    somebody_waits(&database, &store).await;
    // No attempt takes longer than these five seconds, from its very beginning.
    let error = tokio::time::timeout(Duration::from_millis(2_500), logout).await;
    let error = error.expect("the server gives up").unwrap().unwrap_err();
    assert!(error.contains("statement timeout"), "{error}");
    transaction.rollback().await.unwrap();
    let user = store.load(&id).await.unwrap().unwrap();
    assert_eq!(user.logged_out_at(), None);
}
