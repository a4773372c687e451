//! Reads and changes the login in a record of a session store.

use serde_json::{Map, Value};
use tower_sessions::session::Record;

use crate::TestSessions;

/// The key under which a record has its login.
const LOGIN: &str = "axum-clef.login";

/// The fields of the login in a record.
pub fn login_in(record: &Record) -> Map<String, Value> {
    serde_json::from_str(record.data[LOGIN].as_str().unwrap()).unwrap()
}

/// Replaces the login in a record.
pub fn put_login(record: &mut Record, login: &Map<String, Value>) {
    put_text(record, &serde_json::to_string(login).unwrap());
}

/// Replaces the text of the login in a record.
pub fn put_text(record: &mut Record, text: &str) {
    record.data.insert(LOGIN.to_owned(), text.into());
}

/// Changes the login that was written last, behind the crate's back.
pub async fn change_login(sessions: &TestSessions, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut record = sessions.last_saved();
    let mut login = login_in(&record);
    change(&mut login);
    put_login(&mut record, &login);
    sessions.inner.save(&record).await.unwrap();
}
