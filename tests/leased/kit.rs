//! The kit for store authors, over leased stores.

use std::{convert::Infallible, time::Duration};

use axum_clef::{
    leased::Leased,
    stores::{MemoryUserStore, SqliteUserStore},
    testing::check_identity_store,
};

const LEASE: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn leased_users_in_memory_keep_the_contract() {
    let users = MemoryUserStore::new();
    let open = async || Ok::<_, Infallible>(Leased::new(users.clone(), LEASE));
    check_identity_store(open).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn leased_users_in_sqlite_keep_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let open = async || {
        let users = SqliteUserStore::connect(&url).await;
        users.map(|users| Leased::new(users, LEASE))
    };
    check_identity_store(open).await.unwrap();
}
