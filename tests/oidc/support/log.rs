use std::{
    cell::RefCell,
    io::{self, Write},
    sync::Once,
};

thread_local! {
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The log of this thread, on which all tasks of a test run.
struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.with_borrow_mut(|text| text.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Clears the log and records from here on.
pub fn listen() {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(|| ThreadLog)
            .init();
    });
    TEXT.with_borrow_mut(Vec::clear);
}

/// The events of this crate with this level, except the one about tests without client addresses.
pub fn events(level: &str) -> Vec<String> {
    let text = TEXT.with_borrow(|text| String::from_utf8_lossy(text).into_owned());
    let ours = |line: &&str| {
        line.split_whitespace().nth(1) == Some(level)
            && line.contains(" axum_clef::")
            && !line.contains("the client address is unknown")
    };
    text.lines().filter(ours).map(str::to_owned).collect()
}
