//! A stamp that must never fall, as several tasks see it.

use std::sync::atomic::{AtomicI64, Ordering};

use super::{BrokenRule, Rule, handle::Handle, whose::Whose};
use crate::{Timestamp, UserStore};

/// The stamp of a person or session, and the highest value that any task has read.
pub(super) struct RisingStamp {
    pub(super) whose: Whose,
    /// The rule that a stamp breaks which falls.
    rule: Rule,
    highest: AtomicI64,
}

impl RisingStamp {
    /// Logs out once, so that there is a stamp.
    pub(super) async fn new<S: UserStore>(
        handle: &Handle<S>,
        whose: Whose,
        rule: Rule,
    ) -> Result<Self, BrokenRule> {
        whose.log_out(handle).await?;
        let stamp = Self {
            whose,
            rule,
            highest: AtomicI64::new(i64::MIN),
        };
        stamp.look(handle).await?;
        Ok(stamp)
    }

    /// Loads the stamp, which must not be below what any task had read before.
    pub(super) async fn look<S: UserStore>(
        &self,
        handle: &Handle<S>,
    ) -> Result<Timestamp, BrokenRule> {
        let highest = self.highest();
        match self.whose.logged_out_at(handle).await? {
            Some(stamp) if stamp >= highest => {
                self.highest.fetch_max(stamp.as_micros(), Ordering::AcqRel);
                Ok(stamp)
            }
            fallen => Err(self.broken(
                format!("a stamp not below {highest:?}, which had been seen before"),
                self.whose.written(fallen),
            )),
        }
    }

    pub(super) fn highest(&self) -> Timestamp {
        Timestamp::from_micros(self.highest.load(Ordering::Acquire))
    }

    pub(super) fn broken(
        &self,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> BrokenRule {
        BrokenRule::new(self.rule, expected, seen)
    }
}
