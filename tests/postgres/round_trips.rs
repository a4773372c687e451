//! What a call costs: each statement is a round trip, and sqlx tells of each.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum_clef::{LoginReference, Profile, ProviderSession, Subject, User as _, UserStore as _};

use crate::database::Database;

/// The statements, a line each.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<u8>>>);

impl Statements {
    /// How many there were since the last look, but for those that set a connection up.
    fn count(&self) -> usize {
        let lines = std::mem::take(&mut *self.0.lock().unwrap());
        let lines = String::from_utf8(lines).unwrap();
        lines.lines().filter(|line| line.contains("clef_")).count()
    }
}

impl Write for Statements {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
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

    let statements = Statements::default();
    let writer = statements.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("sqlx::query=debug")
        .with_writer(move || writer.clone())
        .finish();
    let _listening = tracing::subscriber::set_default(subscriber);

    let id = store.log_in(&alex).await.unwrap().unwrap().id();
    assert_eq!(statements.count(), 1, "log_in");
    assert!(store.log_out(&alex.subject).await.unwrap());
    assert_eq!(statements.count(), 1, "log_out");
    assert!(store.log_out_session(&session).await.unwrap());
    assert_eq!(statements.count(), 1, "log_out_session");
    for session in [None, Some(&session)] {
        let login = LoginReference::new(&id, &alex.subject).in_session(session);
        let standing = store.standing(login).await.unwrap().unwrap();
        assert_eq!(standing.session_logged_out_at.is_some(), session.is_some());
        assert_eq!(statements.count(), 1, "standing");
    }
}
