//! What a call costs: each statement is a round trip, and sqlx logs each.

use std::{
    cell::RefCell,
    io::{self, Write},
};

use axum_clef::{
    IdentityStore as _, LoginId, LoginReference, Profile, ProviderSession, RevocationKey, Subject,
    Timestamp, User as _, UserStore as _,
};

use crate::database::Database;

thread_local! {
    /// The statements of this test, a line each: it runs on one thread, and others on theirs.
    static STATEMENTS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How many there were since the last look, but for those that set a connection up.
fn statements() -> usize {
    let lines = String::from_utf8(STATEMENTS.take()).unwrap();
    lines.lines().filter(|line| line.contains("clef_")).count()
}

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        STATEMENTS.with_borrow_mut(|statements| statements.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn each_call_is_one_statement() {
    let database = Database::create().await;
    let store = database.open().await;
    let alex = Profile::new(Subject::new("https://clef.test", "12345"));
    let login_id: LoginId = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let session = RevocationKey::Session(ProviderSession::new("https://id.test", "08a5019c"));

    // For the whole process: what one thread alone listens to, tracing may take for unheard
    // when another thread comes by it first.
    tracing_subscriber::fmt()
        .with_env_filter("sqlx::query=debug")
        .with_writer(|| Writer)
        .init();
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
        assert_eq!(check.provider_revoked_at.is_some(), login.id.is_some());
        assert_eq!(statements(), 1, "check_login");
    }
}
