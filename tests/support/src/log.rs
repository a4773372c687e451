//! What is traced on the thread of a test, whose tasks all run on it.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::Once,
};

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Here;

impl Write for Here {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.with_borrow_mut(|text| text.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens from here on, at every level.
pub fn listen() {
    listen_to("trace");
}

/// Listens from here on to what these directives name. The first ones of a process stay.
pub fn listen_to(directives: &str) {
    static LISTENS: Once = Once::new();
    // For the whole process: what one thread alone listens to, tracing may take for unheard when
    // another thread comes by it first.
    LISTENS.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter(directives)
            .with_ansi(false)
            .with_writer(|| Here)
            .init();
    });
    TEXT.with_borrow_mut(Vec::clear);
}

/// All of it, since.
pub fn text() -> String {
    TEXT.with_borrow(|text| String::from_utf8_lossy(text).into_owned())
}

/// The events of axum-clef itself from `INFO` on.
pub fn events() -> Vec<String> {
    let ours = |line: &&str| {
        let level = line.split_whitespace().nth(1);
        let loud = matches!(level, Some("INFO" | "WARN" | "ERROR"));
        loud && line.contains(" axum_clef::")
    };
    text().lines().filter(ours).map(str::to_owned).collect()
}

/// The events of axum-clef with this level, except the one about tests without client addresses.
pub fn events_at(level: &str) -> Vec<String> {
    let ours = |line: &&str| {
        line.split_whitespace().nth(1) == Some(level)
            && line.contains(" axum_clef::")
            && !line.contains("the client address is unknown")
    };
    text().lines().filter(ours).map(str::to_owned).collect()
}

/// Asserts that there is one event, and that it contains all of these words.
pub fn assert_one(words: &[&str], why: &str) {
    let events = events();
    assert_eq!(events.len(), 1, "{why}: {events:#?}");
    for word in words {
        assert!(events[0].contains(word), "{why}: {word:?}: {}", events[0]);
    }
}
