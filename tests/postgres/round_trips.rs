//! What a call costs: each statement is a round trip, and sqlx logs each.

use axum_clef::{
    IdentityStore as _, LoginId, LoginReference, Profile, ProviderSession, RevocationKey, Subject,
    Timestamp, User as _, UserStore as _,
};
use test_support::{Database, log};

/// How many statements there were since the last call, but for those that set a connection up.
fn statements() -> usize {
    let text = log::text();
    log::listen_to("sqlx=debug,axum_clef=warn");
    text.lines().filter(|line| line.contains("clef_")).count()
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn each_call_is_one_statement() {
    let database = Database::create().await;
    let store = database.open().await;
    let alex = Profile::new(Subject::new("https://clef.test", "12345"));
    let login_id: LoginId = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let session = RevocationKey::Session(ProviderSession::new("https://id.test", "08a5019c"));

    statements();

    let id = store.find_or_create(&alex).await.unwrap().unwrap().id();
    assert_eq!(statements(), 1, "find_or_create");
    store.log_in(&id).await.unwrap().unwrap();
    assert_eq!(statements(), 1, "log_in");
    assert!(store.log_out(&id).await.unwrap());
    assert_eq!(statements(), 1, "log_out");
    assert_eq!(store.log_out_subject(&alex.subject).await.unwrap().len(), 1);
    assert_eq!(statements(), 1, "log_out_subject");
    let keys = [session.clone(), RevocationKey::Login(login_id)];
    let keep_until = Timestamp::from_micros(i64::MAX);
    store.revoke(&keys, keep_until).await.unwrap();
    assert_eq!(statements(), 1, "revoke");
    let login = LoginReference::new(&id);
    for login in [
        login,
        login
            .with_id(login_id)
            .with_provider_key(session.provider_key()),
    ] {
        let check = store.check_login(login).await.unwrap().unwrap();
        assert_eq!(check.revoked, login.id.is_some());
        assert_eq!(check.revoked_at.is_some(), login.id.is_some());
        assert_eq!(statements(), 1, "check_login");
    }
}
