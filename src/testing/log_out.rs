//! Logouts of one target, one after the other and at once, and logins in the middle of them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    handle::{Handle, Handles, at_once},
    rule::{Result, Rule},
    target::{RisingStamp, Target},
};
use crate::Timestamp;

/// How many logouts follow each other: a coarse clock shows only now and then.
const LOG_OUTS: usize = 30;
/// How many calls log the same target out at once.
const WRITERS: usize = 100;
/// How many read the stamp meanwhile.
const WATCHERS: usize = 2;
/// How often one logout meets logins in its middle.
const ROUNDS: usize = 20;
/// How many logins each of them meets.
const LOGINS: usize = 8;

pub(super) async fn check_log_out(handles: &Handles, target: &Target) -> Result {
    let store = &handles.one;
    let name = target.stamp_name();
    let mut previous: Option<Timestamp> = None;
    for _ in 0..LOG_OUTS {
        let before = handles.other.now().await?;
        let found = target.log_out(store).await?;
        let stamp = target.stamp(store).await?;
        let after = store.now().await?;
        let seen = target.described(stamp);

        target.rule(Rule::LogOutOnlyRises).require(
            previous.is_none() || stamp > previous,
            format!(
                "more than {} after the next logout",
                target.described(previous)
            ),
            &seen,
        )?;
        target.rule(Rule::LogOutEndsLoginsBefore).require(
            found && stamp.is_some() && !before.outlives(stamp),
            format!(
                "the target to be found, and {name} at {before:?}, when the call began, or later"
            ),
            format!("`{found}` and {seen}"),
        )?;
        target.rule(Rule::LoginAfterLogOutWorks).require(
            after.outlives(stamp),
            format!("{name} before {after:?}, which `now` returned after the logout"),
            &seen,
        )?;
        previous = stamp;
    }
    Ok(())
}

pub(super) async fn check_login_keeps_log_out(handles: &Handles, id: &str) -> Result {
    let store = &handles.one;
    store.log_out(id).await?;
    let stamp = store.logged_out_at(id).await?;
    let logged_in = store.log_in(id).await?.logged_out_at;
    check_login_kept(stamp, logged_in, "log_in")?;
    check_login_kept(stamp, store.logged_out_at(id).await?, "load")
}

/// A login leaves the stamp of the logout as it was.
pub(super) fn check_login_kept(
    stamp: Option<Timestamp>,
    seen: Option<Timestamp>,
    method: &str,
) -> Result {
    let name = format!("`logged_out_at` after the next login, from `{method}`,");
    Rule::LoginKeepsLogOut.require_eq(&name, stamp, seen)
}

/// The logout of the target leaves these users logged in.
pub(super) async fn check_log_out_ends_one_user(
    handles: &Handles,
    target: &Target,
    others: &[String],
) -> Result {
    target.log_out(&handles.one).await?;
    for id in others {
        let name = format!("`logged_out_at` of the user {id:?} after another's logout");
        let stamp = handles.one.logged_out_at(id).await?;
        Rule::LogOutEndsOneUser.require_eq(&name, None, stamp)?;
    }
    Ok(())
}

/// A handle that was open before sees the logout, and so does one that is opened after it.
pub(super) async fn check_every_handle_sees_log_out(
    handles: &Handles,
    open: impl AsyncFn() -> Result<Handle>,
    target: &Target,
) -> Result {
    let Handles { one, other } = handles;
    // Before the logout too: a store with a cache has it now.
    for handle in [one, other] {
        target.stamp(handle).await?;
    }
    target.log_out(one).await?;
    let seen_by_other = target.stamp(other).await?;
    let stamp = target.stamp(one).await?;
    let seen_later = target.stamp(&open().await?).await?;
    for (seen, by) in [
        (seen_by_other, "another handle"),
        (stamp, "the handle that logged out"),
        (seen_later, "a handle opened later"),
    ] {
        target.rule(Rule::EveryHandleSeesLogOut).require(
            seen.is_some() && seen == stamp,
            format!("the new {} from {by}", target.stamp_name()),
            target.described(seen),
        )?;
    }
    Ok(())
}

pub(super) async fn check_log_outs_at_once(handles: &Handles, target: Target) -> Result {
    let rule = target.rule(Rule::LogOutsAtOnce);
    let stamp = Arc::new(RisingStamp::new(&handles.one, target, rule).await?);
    let first = stamp.highest();
    let writing = Arc::new(AtomicUsize::new(WRITERS));
    let tasks = (0..WRITERS + WATCHERS).map(|number| {
        let (stamp, writing) = (Arc::clone(&stamp), Arc::clone(&writing));
        let handle = handles.turn(number);
        async move {
            if number < WRITERS {
                stamp.raise(&handle).await?;
                writing.fetch_sub(1, Ordering::AcqRel);
                return Ok(());
            }
            while writing.load(Ordering::Acquire) > 0 {
                stamp.read(&handle).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    });
    at_once(tasks).await?;

    let last = stamp.read(&handles.one).await?;
    let risen = last.as_micros().saturating_sub(first.as_micros());
    rule.require(
        usize::try_from(risen).is_ok_and(|risen| risen >= WRITERS),
        format!("{WRITERS} logouts at once to raise {first:?} by as many microseconds or more"),
        format!("{last:?}"),
    )
}

/// Logins that a logout finds: those whose user had the stamp from before it.
pub(super) async fn check_logins_that_a_log_out_finds(handles: &Handles, id: &str) -> Result {
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
                let found = handle.log_in(&id).await?.logged_out_at;
                Ok(Some((logged_in_at, found)))
            }
        });
        let logins = at_once(tasks).await?;
        let stamp = handles.one.logged_out_at(id).await?;
        for (logged_in_at, found) in logins.into_iter().flatten() {
            // With the old stamp it was noted before the logout wrote: it must be over.
            Rule::LogOutEndsLoginsItFinds.require(
                found == stamp || !logged_in_at.outlives(stamp),
                format!(
                    "a login that began at {logged_in_at:?} and was noted before the logout to be \
                     over"
                ),
                format!("`logged_out_at` of {stamp:?}"),
            )?;
        }
    }
    Ok(())
}
