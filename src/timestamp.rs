//! Timestamps, and the comparison of a login with a logout.

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A time in whole microseconds since the Unix epoch, UTC.
///
/// A login stores when it began, and a user when they were last logged out. A login is valid only
/// if it is the later of the two; see [`outlives`](Self::outlives).
///
/// ```
/// use axum_clef::Timestamp;
///
/// let logged_in_at = Timestamp::now();
/// assert!(logged_in_at.outlives(None), "the user was never logged out");
///
/// let logged_out_at = Timestamp::now().raised_above(None);
/// assert!(!logged_in_at.outlives(Some(logged_out_at)));
///
/// let logged_in_again_at = Timestamp::now();
/// assert!(logged_in_again_at.outlives(Some(logged_out_at)));
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] i64);

/// How far in the future the timestamp of a valid login may be.
const MOST_AHEAD: Duration = Duration::from_secs(5 * 60);

impl Timestamp {
    /// The latest time, which never comes.
    pub(crate) const MAX: Self = Self(i64::MAX);

    /// Creates a timestamp from microseconds since the Unix epoch, as stored.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The microseconds since the Unix epoch, to store.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads the system clock, made strictly monotonic within the process.
    ///
    /// This is the default clock of a [`UserStore`](crate::UserStore). A store that several
    /// machines share must use the clock of its database instead.
    pub fn now() -> Self {
        static LAST: AtomicI64 = AtomicI64::new(i64::MIN);

        let clock = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, saturating_micros);
        let step = |last: i64| clock.max(last.saturating_add(1));
        let last =
            match LAST.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(step(last))) {
                Ok(last) | Err(last) => last,
            };
        Self(step(last))
    }

    /// Whether a login that began at `self` is valid: the user was never logged out, or only
    /// before.
    ///
    /// A login with the same timestamp as the logout is invalid.
    pub fn outlives(self, logged_out_at: Option<Timestamp>) -> bool {
        logged_out_at.is_none_or(|logged_out_at| self > logged_out_at)
    }

    /// The timestamp to write for a logout at `self`: at least one microsecond after `previous`, so
    /// that it always rises.
    ///
    /// A store does this in one atomic step. In SQL it is `max(:now, coalesce(logged_out_at, 0) +
    /// 1)`.
    #[must_use]
    pub fn raised_above(self, previous: Option<Timestamp>) -> Timestamp {
        previous.map_or(self, |previous| self.max(previous.next()))
    }

    /// Whether a login began more than five minutes after `now`: the clock stepped back, or the
    /// timestamp was forged. Such a login would outlive the logouts until then.
    pub(crate) fn is_too_far_ahead_of(self, now: Timestamp) -> bool {
        self.0 > now.0.saturating_add(saturating_micros(MOST_AHEAD))
    }

    /// The time `duration` after `self`, saturating at the latest timestamp.
    pub(crate) fn after(self, duration: Duration) -> Timestamp {
        Self(self.0.saturating_add(saturating_micros(duration)))
    }

    /// The next timestamp, saturating at the latest one.
    pub(crate) fn next(self) -> Timestamp {
        Self(self.0.saturating_add(1))
    }

    /// The time since `earlier`, or zero if it is later.
    pub(crate) fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

/// The times of a login, for the comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoginTimes {
    /// When it began. Revocations and lifetimes are compared with it.
    pub(crate) logged_in_at: Timestamp,
    /// When its user last ended all others and kept this one. From then on, logouts of the user are
    /// compared with it.
    pub(crate) kept_at: Option<Timestamp>,
    /// When it ends at the latest.
    pub(crate) ends_at: Option<Timestamp>,
}

impl LoginTimes {
    /// The stamp that logouts of the user are compared with.
    pub(crate) fn latest(self) -> Timestamp {
        self.kept_at.unwrap_or(self.logged_in_at)
    }
}

fn saturating_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// For display: every date library converts from [`SystemTime`].
impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        let distance = Duration::from_micros(timestamp.0.unsigned_abs());
        let moment = if timestamp.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        moment.unwrap_or(UNIX_EPOCH)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} µs", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn the_clock_never_repeats_itself_and_never_steps_back() {
        let stamps = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..20_000).map(|_| Timestamp::now()).collect::<Vec<_>>()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert!(stamps.iter().all(|run| run.is_sorted_by(|a, b| a < b)));
        let distinct: HashSet<_> = stamps.iter().flatten().collect();
        assert_eq!(distinct.len(), 80_000);
    }

    #[test]
    fn a_login_is_valid_only_strictly_after_the_logout() {
        let at = Timestamp::from_micros;
        assert!(at(1).outlives(None));
        assert!(at(6).outlives(Some(at(5))));
        assert!(!at(5).outlives(Some(at(5))));
        assert!(!at(4).outlives(Some(at(5))));
    }

    #[test]
    fn a_logout_only_rises() {
        let at = Timestamp::from_micros;
        assert_eq!(at(7).raised_above(None), at(7));
        assert_eq!(at(7).raised_above(Some(at(3))), at(7));
        assert_eq!(at(7).raised_above(Some(at(7))), at(8));
        assert_eq!(at(7).raised_above(Some(at(90))), at(91));
        assert_eq!(at(7).raised_above(Some(at(i64::MAX))), at(i64::MAX));
    }

    #[test]
    fn five_minutes_ahead_are_borne_and_no_more() {
        let now = Timestamp::from_micros(1_000);
        let five_minutes = 5 * 60 * 1_000_000;
        assert!(!Timestamp::from_micros(1_000 + five_minutes).is_too_far_ahead_of(now));
        assert!(Timestamp::from_micros(1_001 + five_minutes).is_too_far_ahead_of(now));
        assert!(Timestamp::from_micros(i64::MAX).is_too_far_ahead_of(now));
    }

    #[test]
    fn a_stamp_survives_the_way_through_the_system_time() {
        for micros in [-5, 0, 1_700_000_000_000_001] {
            let time = SystemTime::from(Timestamp::from_micros(micros));
            let back = time.duration_since(UNIX_EPOCH).map_or_else(
                |before| -(before.duration().as_micros() as i64),
                |after| after.as_micros() as i64,
            );
            assert_eq!(back, micros);
        }
    }
}
