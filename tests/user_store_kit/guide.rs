//! The store of the guide keeps the contract. Its text is compiled from a copy, which a test
//! compares.

use axum_clef::testing::{BrokenRule, Rule, check_identity_store};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use tempfile::TempDir;

include!("guide_members.rs");

const CHAPTER: &str = include_str!("../../docs/user_store.md");

#[test]
fn the_copy_is_the_text_of_the_guide() {
    let copy = include_str!("guide_members.rs");
    assert!(CHAPTER.contains(&format!("```rust\n{copy}```\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_the_guide_keeps_the_contract() {
    check(Members).await.unwrap();
}

#[tokio::test]
async fn a_logout_in_the_store_of_the_guide_is_later_than_the_last_login() {
    let directory = tempfile::tempdir().unwrap();
    let pool = SqlitePool::connect_with(database(&directory).await)
        .await
        .unwrap();
    let members = Members(pool.clone());
    let alex = Subject::new("https://clef.test", "12345");
    let profile = Profile::new(alex.clone());
    let before = Timestamp::now();
    let id = members
        .find_or_create(&profile)
        .await
        .unwrap()
        .unwrap()
        .id();
    members.log_in(&id).await.unwrap().unwrap();
    let noted: i64 = sqlx::query_scalar("select last_login_at from members")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(noted > before.as_micros());

    // By a clock that has been set back since.
    let ahead = before.as_micros() + 60_000_000;
    let set_ahead = sqlx::query("update members set last_login_at = ?").bind(ahead);
    set_ahead.execute(&pool).await.unwrap();
    members.log_in(&id).await.unwrap();
    for logout in 1..=2 {
        match logout {
            1 => assert!(members.log_out(&id).await.unwrap()),
            _ => assert_eq!(members.log_out_subject(&alex).await.unwrap(), [&*id]),
        }
        let stamp = members.load(&id).await.unwrap().unwrap().logged_out_at();
        assert_eq!(stamp, Some(Timestamp::from_micros(ahead + logout)));
    }
}

/// The store with the transaction of `begin_with`, which leaves the lock behind.
struct BeginsImmediately(Members);

impl UserStore for BeginsImmediately {
    type User = Member;

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        self.0.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
        self.0.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        let Members(pool) = &self.0;
        let mut transaction = pool.begin_with("begin immediate").await?;
        let written = sqlx::query(
            "update members set logged_out_at =
                max(?1, coalesce(last_login_at + 1, ?1), coalesce(logged_out_at + 1, ?1))
             where id = ?2",
        )
        .bind(Timestamp::now().as_micros())
        .bind(row_id(id))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(written.rows_affected() > 0)
    }
}

impl IdentityStore for BeginsImmediately {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
        self.0.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.0.log_out_subject(subject).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_begun_by_another_statement_is_noticed() {
    let broken = check(|pool| BeginsImmediately(Members(pool))).await;
    let broken = broken.unwrap_err();
    assert_eq!(broken.rule(), Rule::DroppedCallLeavesNoLock, "{broken}");
}

/// Runs the kit over the table of the CHAPTER.
async fn check<S: IdentityStore>(store: impl Fn(SqlitePool) -> S) -> Result<(), BrokenRule> {
    let directory = tempfile::tempdir().unwrap();
    let options = database(&directory).await;
    let open = async || {
        let pool = SqlitePool::connect_with(options.clone()).await;
        pool.map(&store)
    };
    check_identity_store(open).await
}

/// A new database with the table of the CHAPTER.
async fn database(directory: &TempDir) -> SqliteConnectOptions {
    let url = format!("sqlite://{}", directory.path().join("members.db").display());
    let options: SqliteConnectOptions = url.parse().unwrap();
    // Nothing here is to survive a power cut.
    let options = options
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Off);
    let pool = SqlitePool::connect_with(options.clone()).await.unwrap();
    sqlx::query(table()).execute(&pool).await.unwrap();
    options
}

/// The table of the CHAPTER.
fn table() -> &'static str {
    let (_, table) = CHAPTER.split_once("```sql\n").unwrap();
    let (table, _) = table.split_once("```\n").unwrap();
    assert!(table.starts_with("create table members"), "{table}");
    table
}
