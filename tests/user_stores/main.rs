//! What the ready user stores keep beyond what the kit checks (`user_store_kit`): with a clock to set,
//! and what is theirs alone. `postgres` has the checks of the clock too.

mod checks;
mod sqlite;
mod steps;

use std::sync::Arc;

use axum_clef::{IdentityStore, Profile, User as _, stores::MemoryUserStore};
use tempfile::TempDir;
use test_support::SubjectsAlone;

use self::checks::{Ready, all_checks, memory, subject};

/// Each ready store that needs no server.
async fn stores(directory: &TempDir) -> [Ready; 2] {
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    [memory(), checks::sqlite(&url).await]
}

macro_rules! tests {
    ($($check:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $check() {
            for store in stores(&tempfile::tempdir().unwrap()).await {
                checks::$check(&store).await;
            }
        })*
    };
}
all_checks!(tests);

#[tokio::test]
async fn an_unknown_id_is_no_user_and_no_error() {
    let long = "x".repeat(10_000);
    for store in stores(&tempfile::tempdir().unwrap()).await {
        let (known, users) = (store.log_in("12345").await, &store.users);
        // What a store may refuse, and plain numbers, which in a shared one may be users.
        let ids = ["0", "-1", "é\u{0}", &long];
        // A logout of another spelling would end logins that are kept under the id as it is.
        let spellings = ["+", "0", "00", "-0", "+0"].map(|sign| format!("{sign}{known}"));
        for id in ids.into_iter().chain(spellings.iter().map(String::as_str)) {
            assert_eq!(users.load(id).await.unwrap(), None, "{id:?}");
            assert_eq!(users.log_in(id).await.unwrap(), None, "{id:?}");
            assert!(!users.log_out(id).await.unwrap(), "{id:?}");
            let logged_out = users.log_out_subject(&subject(id)).await.unwrap();
            assert!(logged_out.is_empty(), "{id:?}");
        }

        // And a subject with such an id at the provider is a user here.
        for id in ids {
            let user = store.log_in(id).await;
            let account = users.load(&user).await.unwrap().unwrap();
            assert_eq!(account.profile().subject.id(), id);
            let logged_out = users.log_out_subject(&subject(id)).await;
            assert_eq!(logged_out.unwrap(), [user]);
        }
    }
}

#[tokio::test]
async fn what_the_provider_says_is_kept_up_to_date() {
    for store in stores(&tempfile::tempdir().unwrap()).await {
        let mut profile = Profile::new(subject("12345"));
        profile.first_name = Some("Alex'; drop table clef_users; --".to_owned());
        profile.email = Some("alex@getclef.com".to_owned());
        let user = store.users.find_or_create(&profile).await.unwrap().unwrap();
        assert_eq!(*user.profile(), profile);
        profile.email = Some("alex@example.com".to_owned());
        store.users.find_or_create(&profile).await.unwrap();
        let user = store.users.load(&user.id()).await.unwrap().unwrap();
        assert_eq!(*user.profile(), profile);
    }
}

/// What the layer asks when it is built: a store in an `Arc` answers as the store does.
#[test]
fn a_shared_store_says_what_it_keeps() {
    fn said(store: impl IdentityStore) -> [bool; 4] {
        [
            store.keeps_revocations(),
            store.keeps_one_login(),
            store.notes_sessions(),
            store.knows_identifiers(),
        ]
    }
    assert_eq!(said(MemoryUserStore::new()), [true; 4]);
    assert_eq!(said(Arc::new(MemoryUserStore::new())), [true; 4]);
    assert_eq!(said(SubjectsAlone::default()), [false; 4]);
    assert_eq!(said(Arc::new(SubjectsAlone::default())), [false; 4]);
}
