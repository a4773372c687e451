//! What a call costs: each statement is a round trip, and sqlx tells of each.

use std::{
    cell::RefCell,
    io::{self, Write},
};

use axum_clef::{LoginReference, Profile, ProviderSession, Subject, User as _, UserStore as _};

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
    let session = ProviderSession::new("https://id.test", "08a5019c");

    // For the whole process: what one thread alone listens to, tracing may take for unheard
    // when another thread comes by it first.
    tracing_subscriber::fmt()
        .with_env_filter("sqlx::query=debug")
        .with_writer(|| Writer)
        .init();
    statements();

    let id = store.log_in(&alex).await.unwrap().unwrap().id();
    assert_eq!(statements(), 1, "log_in");
    assert!(store.log_out(&alex.subject).await.unwrap());
    assert_eq!(statements(), 1, "log_out");
    assert!(store.log_out_session(&session).await.unwrap());
    assert_eq!(statements(), 1, "log_out_session");
    for session in [None, Some(&session)] {
        let login = LoginReference::new(&id, &alex.subject).in_session(session);
        let standing = store.standing(login).await.unwrap().unwrap();
        assert_eq!(standing.session_logged_out_at.is_some(), session.is_some());
        assert_eq!(statements(), 1, "standing");
    }
}
