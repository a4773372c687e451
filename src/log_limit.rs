//! Limits log events that any client can cause: each kind is counted and written at most once
//! a second.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The shortest time between two lines of one kind.
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts events by kind. There are as many entries as kinds, so `K` has few values.
#[derive(Debug)]
pub(crate) struct LogLimit<K>(Mutex<HashMap<K, Counter>>);

#[derive(Debug, Default)]
struct Counter {
    unlogged: u64,
    logged_at: Option<Instant>,
}

impl<K: Eq + Hash> LogLimit<K> {
    /// Counts an event. If a line is due, returns how many events it stands for.
    pub(crate) fn count(&self, kind: K) -> Option<u64> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(kind).or_default();
        counter.unlogged += 1;
        let logged_at = counter.logged_at;
        if logged_at.is_some_and(|logged_at| logged_at.elapsed() < INTERVAL) {
            return None;
        }
        counter.logged_at = Some(Instant::now());
        Some(mem::take(&mut counter.unlogged))
    }
}

impl<K> Default for LogLimit<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Limits the log of mistakes, also of requests outside of every layer.
static MISTAKES: LazyLock<LogLimit<&'static str>> = LazyLock::new(LogLimit::default);

/// Logs a mistake in the program that any request can run into.
pub(crate) fn log_mistake(mistake: &'static str) {
    if let Some(count) = MISTAKES.count(mistake) {
        tracing::error!(count, "{mistake}");
    }
}

/// The same with what shows it: a path of this crate, or text with a normalized host of the client.
pub(crate) fn log_mistake_at(mistake: &'static str, at: &str) {
    if let Some(count) = MISTAKES.count(mistake) {
        tracing::error!(count, at, "{mistake}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_logged_once_a_second_and_in_full() {
        let limit = LogLimit::default();
        assert_eq!(limit.count("flood"), Some(1), "the first at once");
        for _ in 0..10_000 {
            assert_eq!(limit.count("flood"), None);
        }
        assert_eq!(limit.count("another kind"), Some(1));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(limit.count("flood"), Some(10_001));
        assert_eq!(limit.count("flood"), None);
    }
}
