//! The kit for store authors, over leased stores.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum_clef::{
    BoxError, IdentityStore, Profile, Subject, SubjectIdentifier, User as _, UserStore,
    leased::Leased,
    stores::{Account, MemoryUserStore, SqliteUserStore},
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

/// A store with the required methods alone.
struct Least(MemoryUserStore);

impl UserStore for Least {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.0.log_out(id).await
    }
}

impl IdentityStore for Least {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.0.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.0.log_out_subject(subject).await
    }
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
    let least = Leased::new(Least(users.clone()), LEASE);
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
}
