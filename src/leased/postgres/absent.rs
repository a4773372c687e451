//! Who has not been heard of for too long.

use std::{collections::HashMap, mem, time::Duration};

use tokio::time::Instant;

/// For how many leases a beat stands still before its seat is taken away. By then whoever sits
/// there has found that no lease of theirs is left, also if its clock runs a hundredth slow and
/// ours a hundredth fast. One more would do; three also bear a node that is slow.
const LEASES: u32 = 3;
/// And for how long at the least: whoever has a shorter lease beats no quicker for that.
const SHORTEST: Duration = Duration::from_secs(1);

/// A seat as the database shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seat: String,
    pub(super) beat: i64,
    pub(super) lease: Duration,
}

/// The beats as they were seen, and since when.
#[derive(Default)]
pub(super) struct Absent(HashMap<String, (i64, Instant)>);

impl Absent {
    /// Notes the seats as they are, and gives those whose beat has stood still for too long. The
    /// database showed them before `seen_at`.
    pub(super) fn note(&mut self, rows: Vec<Row>, seen_at: Instant) -> Vec<Row> {
        let mut known = mem::take(&mut self.0);
        let mut absent = Vec::new();
        for row in rows {
            let since = match known.remove(&row.seat) {
                Some((beat, since)) if beat == row.beat => since,
                _ => seen_at,
            };
            self.0.insert(row.seat.clone(), (row.beat, since));
            if seen_at.duration_since(since) >= (row.lease * LEASES).max(SHORTEST) {
                absent.push(row);
            }
        }
        absent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_that_stands_still_for_three_leases_is_absent_and_no_other() {
        let start = Instant::now();
        let mut absent = Absent::default();
        let row = |seat: &str, beat| Row {
            seat: seat.to_owned(),
            beat,
            lease: Duration::from_secs(1),
        };
        let mut note = |millis: u64, beats: [i64; 2]| {
            let rows = vec![row("a", beats[0]), row("b", beats[1])];
            absent.note(rows, start + Duration::from_millis(millis))
        };
        assert_eq!(note(0, [5, 0]), []);
        assert_eq!(note(2_999, [5, 1]), []);
        assert_eq!(note(3_000, [5, 1]), [row("a", 5)]);
        assert_eq!(note(3_100, [6, 1]), [], "it is back");
        assert_eq!(note(6_099, [6, 2]), []);
        assert_eq!(note(6_100, [6, 2]), [row("a", 6)]);
    }

    #[test]
    fn a_seat_of_a_very_short_lease_is_given_the_time_to_beat() {
        let start = Instant::now();
        let mut absent = Absent::default();
        for (millis, is_absent) in [(0, false), (999, false), (1_000, true)] {
            let row = Row {
                seat: "a".to_owned(),
                beat: 5,
                lease: Duration::from_millis(1),
            };
            let seen_at = start + Duration::from_millis(millis);
            let noted = absent.note(vec![row], seen_at);
            assert_eq!(!noted.is_empty(), is_absent, "{millis}");
        }
    }
}
