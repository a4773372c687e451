use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// The most that is kept of one kind.
const MOST: usize = 10_000;

/// Things that are kept under a random key for a while: codes and tokens.
///
/// All live equally long, so the oldest is also the first to expire. At most [`MOST`] are kept;
/// the oldest make room.
pub(super) struct ShortLived<T> {
    lifetime: Duration,
    kept: HashMap<String, Kept<T>>,
    /// The keys in the order they came, with some that are no longer kept.
    order: VecDeque<String>,
}

struct Kept<T> {
    value: T,
    since: Instant,
}

impl<T> Kept<T> {
    fn is_alive(&self, lifetime: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < lifetime
    }
}

impl<T> ShortLived<T> {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            kept: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Keeps a value and gives the key to it: 32 lower-case hex digits.
    pub(super) fn insert(&mut self, value: T, now: Instant) -> String {
        self.sweep(now);
        let key = format!("{:032x}", rand::random::<u128>());
        self.order.push_back(key.clone());
        self.kept.insert(key.clone(), Kept { value, since: now });
        key
    }

    pub(super) fn get(&self, key: &str, now: Instant) -> Option<&T> {
        self.kept
            .get(key)
            .filter(|kept| kept.is_alive(self.lifetime, now))
            .map(|kept| &kept.value)
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.kept.remove(key);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.kept.retain(|_, kept| keep(&kept.value));
    }

    /// Drops what has expired, and the oldest if there is no room for one more.
    fn sweep(&mut self, now: Instant) {
        while let Some(oldest) = self.order.front() {
            let alive = self
                .kept
                .get(oldest)
                .is_some_and(|kept| kept.is_alive(self.lifetime, now));
            if alive && self.order.len() < MOST {
                break;
            }
            self.kept.remove(oldest);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn expires_on_the_stroke() {
        let start = Instant::now();
        let mut kept = ShortLived::new(MINUTE);
        let key = kept.insert("value", start);
        let last = start + MINUTE - Duration::from_nanos(1);
        assert_eq!(kept.get(&key, start), Some(&"value"));
        assert_eq!(kept.get(&key, last), Some(&"value"));
        assert_eq!(kept.get(&key, start + MINUTE), None);
    }

    #[test]
    fn keys_are_random_hex() {
        let start = Instant::now();
        let mut kept = ShortLived::new(MINUTE);
        let (one, two) = (kept.insert(1, start), kept.insert(2, start));
        assert_ne!(one, two);
        for key in [one, two] {
            assert_eq!(key.len(), 32);
            assert!(key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        }
    }

    #[test]
    fn inserting_sweeps_what_expired() {
        let start = Instant::now();
        let mut kept = ShortLived::new(MINUTE);
        for _ in 0..10 {
            kept.insert((), start);
        }
        kept.insert((), start + MINUTE);
        assert_eq!((kept.kept.len(), kept.order.len()), (1, 1));
    }

    #[test]
    fn the_oldest_make_room() {
        let start = Instant::now();
        let mut kept = ShortLived::new(MINUTE);
        let oldest = kept.insert(0, start);
        let second = kept.insert(1, start);
        for number in 2..=MOST {
            kept.insert(number, start);
        }
        assert_eq!(kept.get(&oldest, start), None);
        assert_eq!(kept.get(&second, start), Some(&1));
        assert_eq!((kept.kept.len(), kept.order.len()), (MOST, MOST));
    }
}
