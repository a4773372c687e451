//! The user store in PostgreSQL, against a real server: the kit, and what is its own alone.
//!
//! `POSTGRES_URL` names the server, as a superuser; without it the tests fail. `.ci/run` sets it and runs them:
//! `POSTGRES_URL=postgres://postgres@127.0.0.1:5432/test cargo test --test postgres -- --ignored`.
//! Each makes a schema of its own in that database, and drops it.

#[path = "../user_stores/checks.rs"]
#[allow(dead_code)] // The stores without a server are tested in `user_stores`.
mod checks;
mod clock;
mod connection;
mod guide;
mod migrations;
mod plans;
mod round_trips;
mod users;
mod waiting;

use axum_clef::testing::check_identity_store;

use test_support::Database;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_store_keeps_the_contract() {
    let database = Database::create().await;
    let open = async || Ok::<_, sqlx::Error>(database.open().await);
    check_identity_store(open).await.unwrap();
}
