//! The members keep the contract of a user store.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum_clef::{BoxError, testing::check_user_store};
use password::Members;

#[tokio::test(flavor = "multi_thread")]
async fn the_members_keep_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("members.db").display());
    let numbers = AtomicU64::new(1);
    let new_member = async |members: &Members| {
        let name = format!("member-{}", numbers.fetch_add(1, Relaxed));
        let id = members.sign_up(&name, "no hash").await?;
        id.ok_or_else(|| BoxError::from("the name is taken"))
    };
    check_user_store(async || Members::connect(&url).await, new_member)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_password_that_was_replaced_meanwhile_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("members.db").display());
    let members = Members::connect(&url).await.unwrap();
    members.sign_up("alex", "old").await.unwrap().unwrap();
    let verified = members.password("alex").await.unwrap().unwrap();
    assert!(members.change_password(&verified, "new").await.unwrap());
    assert!(!members.change_password(&verified, "late").await.unwrap());
    let current = members.password("alex").await.unwrap().unwrap();
    assert_eq!(current.hash(), "new");
    assert_eq!(current.member_id(), verified.member_id());
}
