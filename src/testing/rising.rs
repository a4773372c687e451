//! A stamp that must never fall, as several tasks see it.

use std::{
    marker::PhantomData,
    sync::atomic::{AtomicI64, Ordering},
};

use super::{BrokenRule, Rule, handle::Handle, target::LogoutTarget};
use crate::{Timestamp, UserStore};

/// The stamp of a target, and the highest value that any task has read.
pub(super) struct RisingStamp<S, T> {
    pub(super) target: T,
    /// The rule that a stamp breaks which falls.
    rule: Rule,
    highest: AtomicI64,
    store: PhantomData<fn(S)>,
}

impl<S: UserStore, T: LogoutTarget<S>> RisingStamp<S, T> {
    /// Logs out once, so that there is a stamp.
    pub(super) async fn new(handle: &Handle<S>, target: T, rule: Rule) -> Result<Self, BrokenRule> {
        target.log_out(handle).await?;
        let stamp = Self {
            target,
            rule,
            highest: AtomicI64::new(i64::MIN),
            store: PhantomData,
        };
        stamp.read(handle).await?;
        Ok(stamp)
    }

    /// Reads the stamp, which must not be below what any task had read before.
    pub(super) async fn read(&self, handle: &Handle<S>) -> Result<Timestamp, BrokenRule> {
        let highest = self.highest();
        match self.target.stamp(handle).await? {
            Some(stamp) if stamp >= highest => {
                self.highest.fetch_max(stamp.as_micros(), Ordering::AcqRel);
                Ok(stamp)
            }
            fallen => Err(self.broken(
                format!("a stamp not below {highest:?}, which had been read before"),
                T::written(fallen),
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
