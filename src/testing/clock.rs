//! The clock of the store.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use super::{
    BrokenRule, Rule,
    handle::{Handle, Handles},
    tasks::at_once,
};
use crate::{Timestamp, UserStore};

/// How often one reader reads.
const READS: usize = 100;
/// How many read at once.
const READERS: usize = 8;

pub(super) async fn check_clock<S: UserStore>(handles: &Handles<S>) -> Result<(), BrokenRule> {
    let latest = Latest::default();
    for _ in 0..READS {
        latest.read(&handles.one, Rule::ClockRises).await?;
    }
    // From the start again: what the other handle says is another rule.
    let latest = Latest::default();
    for turn in 0..READS {
        latest.read(&handles.turn(turn), Rule::OneClock).await?;
    }

    let latest = Arc::new(Latest::default());
    let readers = (0..READERS).map(|reader| {
        let (latest, handle) = (Arc::clone(&latest), handles.turn(reader));
        async move {
            for _ in 0..READS {
                latest.read(&handle, Rule::ClockRises).await?;
            }
            Ok(())
        }
    });
    at_once(readers).await?;
    Ok(())
}

/// The latest time that anybody was given.
struct Latest(AtomicI64);

impl Default for Latest {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Latest {
    /// Reads the clock, which must be later than every read that had ended. Two reads at once
    /// may give the same.
    async fn read<S: UserStore>(&self, handle: &Handle<S>, rule: Rule) -> Result<(), BrokenRule> {
        let before = Timestamp::from_micros(self.0.load(Ordering::Acquire));
        let now = handle.now().await?;
        self.0.fetch_max(now.as_micros(), Ordering::AcqRel);
        if now > before {
            return Ok(());
        }
        Err(BrokenRule::new(
            rule,
            format!("`now` to be later than {before:?}, which it had given before"),
            format!("{now:?}"),
        ))
    }
}
