//! Logouts of one target at once, and logins in the middle of a user's.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    BrokenRule, Rule,
    handle::{Handle, Handles},
    log_out::written,
    rising::RisingStamp,
    target::LogoutTarget,
    tasks::at_once,
};
use crate::{User as _, UserStore};

/// How many calls log the same target out at once.
const WRITERS: usize = 100;
/// How many read the stamp meanwhile.
const WATCHERS: usize = 2;
/// How often one logout meets logins in its middle.
const ROUNDS: usize = 20;
/// How many logins each of them meets.
const LOGINS: usize = 8;

pub(super) async fn check_log_outs_at_once<S: UserStore, T: LogoutTarget<S>>(
    handles: &Handles<S>,
    target: T,
) -> Result<(), BrokenRule> {
    let stamp = RisingStamp::new(&handles.one, target, T::RULES.at_once).await?;
    let first = stamp.highest();
    let crowd = Arc::new(Crowd {
        stamp,
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

    let last = crowd.stamp.read(&handles.one).await?;
    let risen = last.as_micros().saturating_sub(first.as_micros());
    if usize::try_from(risen).is_ok_and(|risen| risen >= WRITERS) {
        return Ok(());
    }
    Err(crowd.stamp.broken(
        format!("{WRITERS} logouts at once to raise {first:?} by as many microseconds or more"),
        format!("{last:?}"),
    ))
}

/// The calls that log the same target out at once, and those that read.
struct Crowd<S, T> {
    stamp: RisingStamp<S, T>,
    /// How many are not done yet.
    writing: AtomicUsize,
}

impl<S: UserStore, T: LogoutTarget<S>> Crowd<S, T> {
    /// One logout, which must end above every stamp from before it.
    async fn write(&self, handle: &Handle<S>) -> Result<(), BrokenRule> {
        let rising = &self.stamp;
        let highest = rising.highest();
        let before = handle.now().await?;
        if !rising.target.log_out(handle).await? {
            return Err(rising.broken("each of the logouts to find its target", "`false`"));
        }
        let stamp = rising.read(handle).await?;
        if stamp <= highest {
            let expected = format!("a logout to raise the stamp above {highest:?}");
            return Err(rising.broken(expected, format!("{stamp:?}")));
        }
        if stamp < before {
            let expected = format!("a logout that began at {before:?} to leave no earlier stamp");
            return Err(rising.broken(expected, format!("{stamp:?}")));
        }
        self.writing.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    }

    /// Reads until the last writer is done.
    async fn watch(&self, handle: &Handle<S>) -> Result<(), BrokenRule> {
        while self.writing.load(Ordering::Acquire) > 0 {
            self.stamp.read(handle).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Logins that a logout finds: those whose user had the stamp from before it.
pub(super) async fn check_logins_that_a_log_out_finds<S: UserStore>(
    handles: &Handles<S>,
    id: &str,
) -> Result<(), BrokenRule> {
    for _ in 0..ROUNDS {
        // The first of them logs out.
        let tasks = (0..1 + LOGINS).map(|number| {
            let (handle, id) = (handles.turn(number), id.to_owned());
            async move {
                if number == 0 {
                    handle.log_out(&id).await?;
                    return Ok(None);
                }
                let logged_in_at = handle.now().await?;
                let found = handle.log_in(&id).await?.logged_out_at();
                Ok(Some((logged_in_at, found)))
            }
        });
        let logins = at_once(tasks).await?;
        let stamp = handles.one.logged_out_at(id).await?;
        for (logged_in_at, found) in logins.into_iter().flatten() {
            // With the old stamp it was noted before the logout wrote: it must be over.
            if found != stamp && logged_in_at.outlives(stamp) {
                return Err(BrokenRule::new(
                    Rule::LogOutEndsLoginsItFinds,
                    format!(
                        "a login that began at {logged_in_at:?} and was noted before the \
                         logout to be over"
                    ),
                    written(stamp),
                ));
            }
        }
    }
    Ok(())
}
