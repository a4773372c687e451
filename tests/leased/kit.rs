//! The kit for store authors, over leased stores.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum_clef::{
    IdentityStore, Profile, Subject, SubjectIdentifier, User as _, UserStore as _,
    leased::Leased,
    stores::{MemoryUserStore, SqliteUserStore},
    testing::check_identity_store,
};
use test_support::SubjectsAlone;

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

fn abilities(store: &impl IdentityStore) -> [bool; 4] {
    [
        store.keeps_revocations(),
        store.keeps_one_login(),
        store.notes_sessions(),
        store.knows_identifiers(),
    ]
}

#[tokio::test]
async fn a_leased_store_can_do_what_its_store_can() {
    let users = MemoryUserStore::new();
    let least = Leased::new(SubjectsAlone::default(), LEASE);
    assert_eq!(abilities(&least), [false; 4]);
    let leased = Leased::new(Arc::new(users.clone()), LEASE);
    assert_eq!(abilities(&users), [true; 4]);
    assert_eq!(abilities(&leased), [true; 4]);

    let mut profile = Profile::new(Subject::new("https://clef.test", "1"));
    profile.email = Some("alex@example.com".to_owned());
    profile.email_verified = Some(true);
    let user = leased.find_or_create(&profile).await.unwrap().unwrap();
    let email = SubjectIdentifier::Email("alex@example.com".to_owned());
    let found = leased.users_of("https://clef.test", &email).await.unwrap();
    assert_eq!(found, [user.id()]);

    let stamp = users.now().await.unwrap();
    let logged_out_at = leased.log_out_others(&user.id(), stamp).await.unwrap();
    assert!(logged_out_at.is_some_and(|at| at >= stamp));
    let in_arc = Arc::new(users.clone());
    let stamp = in_arc.now().await.unwrap();
    let logged_out_at = in_arc.log_out_others(&user.id(), stamp).await.unwrap();
    assert!(logged_out_at.is_some_and(|at| at >= stamp));
}
