//! Logouts that wait for another transaction that has the row.

use std::time::{Duration, Instant};

use axum_clef::{
    IdentityStore as _, Profile, ProviderSession, RevocationKey, Subject, Timestamp, User as _,
    UserStore as _, stores::PostgresUserStore,
};
use sqlx::{PgPool, Postgres, Transaction};
use test_support::Database;
use tokio::task::JoinHandle;

fn alex() -> Subject {
    Subject::new("https://clef.test", "12345")
}

async fn new_user(store: &PostgresUserStore) -> String {
    let user = store.find_or_create(&Profile::new(alex())).await;
    user.unwrap().unwrap().id()
}

/// Another transaction that has the row, and how it ends.
#[derive(Clone, Copy, Debug)]
enum Other {
    LocksAndLeaves,
    ChangesAndRollsBack,
    ChangesAndCommits,
}

const OTHERS: [Other; 3] = [
    Other::LocksAndLeaves,
    Other::ChangesAndRollsBack,
    Other::ChangesAndCommits,
];

impl Other {
    /// Takes the row, of which `column` is one.
    async fn take(
        self,
        store: &PostgresUserStore,
        (table, column): (&str, &str),
    ) -> Transaction<'static, Postgres> {
        let mut transaction = store.pool().begin().await.unwrap();
        let statement = match self {
            Self::LocksAndLeaves => format!("select 1 from {table} for update"),
            _ => format!("update {table} set {column} = {column}"),
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

/// Waits until one statement waits for a lock in this database.
pub async fn one_waits(database: &Database, pool: &PgPool) {
    let waiting = "select count(*) from pg_stat_activity
                   where application_name = $1 and wait_event_type = 'Lock'";
    let begun_at = Instant::now();
    while begun_at.elapsed() < Duration::from_secs(5) {
        let waiting = sqlx::query_scalar(waiting).bind(&database.schema);
        let count: i64 = waiting.fetch_one(pool).await.unwrap();
        if count == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no statement waits for the lock");
}

/// Lets a logout wait for another transaction. Returns the stamp of a login made meanwhile.
async fn meanwhile(
    database: &Database,
    store: &PostgresUserStore,
    row: (&str, &str),
    other: Other,
    log_out: impl Future<Output = bool> + Send + 'static,
) -> Timestamp {
    let transaction = other.take(store, row).await;
    let logout: JoinHandle<bool> = tokio::spawn(log_out);
    one_waits(database, store.pool()).await;
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
    let id = new_user(&store).await;
    for other in OTHERS {
        for by_subject in [false, true] {
            let log_out = {
                let (store, id) = (store.clone(), id.clone());
                async move {
                    match by_subject {
                        false => store.log_out(&id).await.unwrap(),
                        true => store.log_out_subject(&alex()).await.unwrap() == [id],
                    }
                }
            };
            let row = ("clef_users", "logged_out_at");
            let logged_in_at = meanwhile(&database, &store, row, other, log_out).await;
            let stamp = store.load(&id).await.unwrap().unwrap().logged_out_at();
            assert!(!logged_in_at.outlives(stamp), "{other:?}");
            let now = store.now().await.unwrap();
            assert!(now.outlives(stamp), "a new login works: {other:?}");
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_revocation_that_waits_ends_the_logins_made_meanwhile() {
    let database = Database::create().await;
    let store = database.open().await;
    // The row of one is waited for; the others are new, and before and after it.
    let keys = ["a", "b", "c"]
        .map(|id| RevocationKey::Session(ProviderSession::new("https://id.test", id)));
    let keep_until = Timestamp::from_micros(i64::MAX);
    for other in OTHERS {
        let clear = sqlx::query("delete from clef_revocations");
        clear.execute(store.pool()).await.unwrap();
        store.revoke(&keys[1..2], keep_until).await.unwrap();
        let revoke = {
            let (store, keys) = (store.clone(), keys.clone());
            async move { store.revoke(&keys, keep_until).await.is_ok() }
        };
        let row = ("clef_revocations", "revoked_at");
        let logged_in_at = meanwhile(&database, &store, row, other, revoke).await;
        for key in &keys {
            let stamp = store.revoked_at(key).await.unwrap();
            assert!(!logged_in_at.outlives(stamp), "{other:?}");
            let now = store.now().await.unwrap();
            assert!(now.outlives(stamp), "a new login works: {other:?}");
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_that_is_given_up_is_not_written_later() {
    let database = Database::create().await;
    let store = database.open().await;
    let id = new_user(&store).await;
    let row = ("clef_users", "logged_out_at");
    let transaction = Other::LocksAndLeaves.take(&store, row).await;
    let logout = tokio::spawn({
        let (store, id) = (store.clone(), id.clone());
        async move { store.log_out(&id).await.map_err(|error| error.to_string()) }
    });
    one_waits(&database, store.pool()).await;
    // No attempt takes longer than the five seconds of the caller, from its very beginning.
    let error = tokio::time::timeout(Duration::from_millis(2_500), logout).await;
    let error = error.expect("the server gives up").unwrap().unwrap_err();
    assert!(error.contains("statement timeout"), "{error}");
    transaction.rollback().await.unwrap();
    let user = store.load(&id).await.unwrap().unwrap();
    assert_eq!(user.logged_out_at(), None);
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_revocation_waits_for_no_old_row() {
    let database = Database::create().await;
    let store = database.open().await;
    let old = "insert into clef_revocations (kind, issuer, id, revoked_at, keep_until)
        select 'login', '', number::text, 0, 0 from generate_series(1, 300) as number";
    sqlx::raw_sql(old).execute(store.pool()).await.unwrap();
    // As another node, which deletes them.
    let mut transaction = store.pool().begin().await.unwrap();
    let delete = sqlx::query("delete from clef_revocations where keep_until = 0");
    delete.execute(&mut *transaction).await.unwrap();
    let session = RevocationKey::Session(ProviderSession::new("https://id.test", "a"));
    let keep_until = Timestamp::from_micros(i64::MAX);
    store.revoke(&[session], keep_until).await.unwrap();
    transaction.rollback().await.unwrap();
}
