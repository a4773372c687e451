//! How long what is kept counts, and how long a logout waits for that.

use std::time::Duration;

/// By how much the clocks of two nodes may run apart is the ratio of these: each may be off by one
/// in a hundred.
const SLOWEST: u32 = 99;
const FASTEST: u32 = 101;

/// The longest lease: a logout that waits for it waits four seconds, less than senders of notices
/// wait for an answer.
pub(super) const LONGEST: Duration = Duration::from_millis(3_920);

/// A lease, as one node measures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// How long an answer counts, from before it was asked for.
    pub(super) length: Duration,
    /// How long after a write the last answer from before it counts nowhere any more, by whatever
    /// clock within the bounds that is measured.
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

    /// As a node measures it whose clock runs at so many thousandths of the true rate.
    #[cfg(feature = "testing")]
    pub(super) fn by_clock_at(self, thousandths: u32) -> Self {
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
            let (kept_for, waited_for) = (lease.length * 100 / 99, lease.wait * 100 / 101);
            // To the nanosecond that a division drops.
            assert!(waited_for + Duration::from_nanos(2) >= kept_for, "{millis}");
        }
    }
}
