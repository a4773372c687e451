//! The store for applications of axum-login keeps the contract. Its text is compiled from a copy,
//! which a test compares.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum_clef::testing::check_user_store;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};

include!("axum_login_members.rs");

const CHAPTER: &str = include_str!("../../docs/coming_from_axum_login.md");

/// The table of an application that uses axum-login.
const TABLE: &str =
    "create table users (id integer primary key autoincrement, username text not null unique)";

#[test]
fn the_copy_is_the_text_of_the_guide() {
    let copy = include_str!("axum_login_members.rs");
    assert!(CHAPTER.contains(&format!("```rust\n{copy}```\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_over_the_table_of_axum_login_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    // Nothing here is to survive a power cut.
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("users.db"))
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Off);
    let pool = SqlitePool::connect_with(options.clone()).await.unwrap();
    sqlx::query(TABLE).execute(&pool).await.unwrap();
    sqlx::raw_sql(columns()).execute(&pool).await.unwrap();

    let open = async || SqlitePool::connect_with(options.clone()).await.map(Members);
    let numbers = AtomicU64::new(1);
    let new_user = async |members: &Members| {
        let username = format!("user-{}", numbers.fetch_add(1, Relaxed));
        let id: i64 = sqlx::query_scalar("insert into users (username) values (?) returning id")
            .bind(&username)
            .fetch_one(&members.0)
            .await?;
        let id = id.to_string();
        let member = members.load(&id).await?.ok_or("the user is there")?;
        assert_eq!(member.username, username);
        Ok::<_, BoxError>(id)
    };
    check_user_store(open, new_user).await.unwrap();
}

/// The columns that the chapter adds.
fn columns() -> &'static str {
    let (_, columns) = CHAPTER.split_once("```sql\n").unwrap();
    let (columns, _) = columns.split_once("```\n").unwrap();
    assert!(columns.starts_with("alter table users"), "{columns}");
    columns
}
