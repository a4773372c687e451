//! Logouts of one person or session at once, and logins in the middle of a person's.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use super::{
    BrokenRule, Rule,
    handle::{Handle, Handles},
    log_out::written,
    person::fresh_person,
    tasks::at_once,
    whose::Whose,
};
use crate::{Timestamp, User as _, UserStore};

/// How many log the same out at once.
const WRITERS: usize = 100;
/// How many look on meanwhile.
const WATCHERS: usize = 2;
/// How often one logout meets logins in its middle.
const ROUNDS: usize = 20;
/// How many logins each of them meets.
const LOGINS: usize = 8;

pub(super) async fn check_log_outs_at_once<S: UserStore>(
    handles: &Handles<S>,
    whose: Whose,
) -> Result<(), BrokenRule> {
    whose.log_out(&handles.one).await?;
    let Some(first) = whose.logged_out_at(&handles.one).await? else {
        let expected = "a stamp after the first logout";
        return Err(BrokenRule::new(whose.at_once(), expected, "none"));
    };

    let crowd = Arc::new(Crowd {
        whose,
        highest: AtomicI64::new(first.as_micros()),
        writing: AtomicUsize::new(WRITERS),
    });
    let tasks = (0..WRITERS + WATCHERS).map(|number| {
        let (crowd, handle) = (Arc::clone(&crowd), handles.turn(number));
        async move {
            if number < WRITERS {
                crowd.write(&handle).await
            } else {
                crowd.watch(&handle).await
            }
        }
    });
    at_once(tasks).await?;

    let last = crowd.look(&handles.one).await?;
    let risen = last.as_micros().saturating_sub(first.as_micros());
    if usize::try_from(risen).is_ok_and(|risen| risen >= WRITERS) {
        return Ok(());
    }
    Err(crowd.broken(
        format!("{WRITERS} logouts at once to raise {first:?} by as many microseconds or more"),
        format!("{last:?}"),
    ))
}

/// Those who log the same out at once, and those who look on.
struct Crowd {
    whose: Whose,
    /// The highest stamp that anybody has seen.
    highest: AtomicI64,
    /// How many are not done yet.
    writing: AtomicUsize,
}

impl Crowd {
    /// One logout, which must end above all that was there before it.
    async fn write<S: UserStore>(&self, handle: &Handle<S>) -> Result<(), BrokenRule> {
        let highest = self.highest();
        let before = handle.now().await?;
        if !self.whose.log_out(handle).await? {
            return Err(self.broken("`true` from each of the logouts", "`false`"));
        }
        let stamp = self.look(handle).await?;
        if stamp <= highest {
            let expected = format!("a logout to raise the stamp above {highest:?}");
            return Err(self.broken(expected, format!("{stamp:?}")));
        }
        if stamp < before {
            let expected = format!("a logout that began at {before:?} to leave no earlier stamp");
            return Err(self.broken(expected, format!("{stamp:?}")));
        }
        self.writing.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    }

    /// Looks on until the last writer is done.
    async fn watch<S: UserStore>(&self, handle: &Handle<S>) -> Result<(), BrokenRule> {
        while self.writing.load(Ordering::Acquire) > 0 {
            self.look(handle).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Loads the stamp, which must not be below what anybody had seen before.
    async fn look<S: UserStore>(&self, handle: &Handle<S>) -> Result<Timestamp, BrokenRule> {
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

    fn highest(&self) -> Timestamp {
        Timestamp::from_micros(self.highest.load(Ordering::Acquire))
    }

    fn broken(&self, expected: impl Into<String>, seen: impl Into<String>) -> BrokenRule {
        BrokenRule::new(self.whose.at_once(), expected, seen)
    }
}

/// Logins that a logout finds: those whose user had the stamp from before it.
pub(super) async fn check_logins_that_a_log_out_finds<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let alex = fresh_person();
    let id = handles.one.log_in(&alex).await?.id();
    for _ in 0..ROUNDS {
        // The first of them logs out.
        let tasks = (0..1 + LOGINS).map(|number| {
            let (handle, alex) = (handles.turn(number), alex.clone());
            async move {
                if number == 0 {
                    handle.log_out(&alex).await?;
                    return Ok(None);
                }
                let logged_in_at = handle.now().await?;
                let found = handle.log_in(&alex).await?.logged_out_at();
                Ok(Some((logged_in_at, found)))
            }
        });
        let logins = at_once(tasks).await?;
        let stamp = handles.one.logged_out_at(&id).await?;
        for (logged_in_at, found) in logins.into_iter().flatten() {
            // With the old stamp it was there before the logout wrote: it must be over.
            if found != stamp && logged_in_at.outlives(stamp) {
                return Err(BrokenRule::new(
                    Rule::LogOutEndsLoginsItFinds,
                    format!(
                        "a login that began at {logged_in_at:?} and was written before the \
                         logout to be over"
                    ),
                    written(stamp),
                ));
            }
        }
    }
    Ok(())
}
