//! The lease of cache entries, and how long a logout waits for it.

use std::time::Duration;

/// The slowest and the fastest rate of a node's clock, in percent of the true rate.
const SLOWEST: u32 = 99;
const FASTEST: u32 = 101;

/// The longest lease. A logout waits at most four seconds for it, less than the timeout of notice
/// senders.
pub(super) const LONGEST: Duration = Duration::from_millis(3_920);

/// A lease, as one node measures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// How long an entry is valid, from before the store was read.
    pub(super) length: Duration,
    /// How long after a write the last earlier entry has expired on every node, with any allowed
    /// clock rates.
    pub(super) wait: Duration,
}

impl Lease {
    pub(super) fn new(length: Duration) -> Self {
        let length = length.min(LONGEST);
        Self {
            length,
            wait: length * FASTEST / SLOWEST,
        }
    }

    /// The lease as measured by a clock at this rate, in thousandths of the true rate.
    #[cfg(feature = "testing")]
    pub(super) fn with_clock_rate(self, thousandths: u32) -> Self {
        let thousandths = thousandths.max(1);
        Self {
            length: self.length * 1_000 / thousandths,
            wait: self.wait * 1_000 / thousandths,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_is_four_seconds() {
        let lease = Lease::new(Duration::from_secs(60));
        assert_eq!(lease.length, LONGEST);
        assert!(lease.wait <= Duration::from_secs(4), "{:?}", lease.wait);
    }

    #[test]
    fn the_wait_outlasts_the_lease_by_clocks_one_in_a_hundred_off() {
        for millis in [1, 100, 999, 3_000, 3_920] {
            let lease = Lease::new(Duration::from_millis(millis));
            let (cached_for, waited_for) = (lease.length * 100 / 99, lease.wait * 100 / 101);
            // Divisions round down by up to a nanosecond.
            assert!(
                waited_for + Duration::from_nanos(2) >= cached_for,
                "{millis}"
            );
        }
    }
}
