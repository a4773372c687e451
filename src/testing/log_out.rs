//! Logouts, one after the other.

use super::{
    BrokenRule, Rule,
    handle::{Handle, Handles},
    target::LogoutTarget,
};
use crate::{Timestamp, User as _, UserStore};

/// How many logouts follow each other: a coarse clock shows only now and then.
const ROUNDS: usize = 30;

pub(super) async fn check_log_out<S: UserStore, T: LogoutTarget<S>>(
    handles: &Handles<S>,
    target: &T,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let mut previous: Option<Timestamp> = None;
    for _ in 0..ROUNDS {
        let before = handles.other.now().await?;
        let found = target.log_out(store).await?;
        let stamp = target.stamp(store).await?;
        let after = store.now().await?;

        if previous.is_some() && stamp <= previous {
            return Err(BrokenRule::new(
                T::RULES.only_rises,
                format!("more than {} after the next logout", T::written(previous)),
                T::written(stamp),
            ));
        }
        if !found || stamp.is_none() || before.outlives(stamp) {
            return Err(BrokenRule::new(
                T::RULES.ends_logins_before,
                format!(
                    "the target to be found, and {} at {before:?}, when the call began, or later",
                    T::STAMP
                ),
                format!("`{found}` and {}", T::written(stamp)),
            ));
        }
        if !after.outlives(stamp) {
            return Err(BrokenRule::new(
                T::RULES.login_after_works,
                format!(
                    "{} before {after:?}, which `now` returned after the logout",
                    T::STAMP
                ),
                T::written(stamp),
            ));
        }
        previous = stamp;
    }
    Ok(())
}

pub(super) async fn check_login_keeps_log_out<S: UserStore>(
    handles: &Handles<S>,
    id: &str,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    store.log_out(id).await?;
    let stamp = store.logged_out_at(id).await?;
    let answered = store.log_in(id).await?.logged_out_at();
    let loaded = store.logged_out_at(id).await?;
    for (seen, method) in [(answered, "log_in"), (loaded, "load")] {
        kept(stamp, seen, method)?;
    }
    Ok(())
}

/// A login leaves the stamp of the logout as it was.
pub(super) fn kept(
    stamp: Option<Timestamp>,
    seen: Option<Timestamp>,
    method: &str,
) -> Result<(), BrokenRule> {
    if seen == stamp {
        return Ok(());
    }
    Err(BrokenRule::new(
        Rule::LoginKeepsLogOut,
        format!("{} as it was before the next login", written(stamp)),
        format!("{} in the user of `{method}`", written(seen)),
    ))
}

/// The logout of the target leaves these users logged in.
pub(super) async fn check_log_out_ends_one_user<S: UserStore>(
    handles: &Handles<S>,
    target: &impl LogoutTarget<S>,
    others: &[String],
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    target.log_out(store).await?;
    for id in others {
        let stamp = store.logged_out_at(id).await?;
        if stamp.is_some() {
            return Err(BrokenRule::new(
                Rule::LogOutEndsOneUser,
                format!("`logged_out_at` of the user {id:?} to stay `None` after another's logout"),
                written(stamp),
            ));
        }
    }
    Ok(())
}

/// A handle that was open before sees the logout, and so does one that is opened after it.
pub(super) async fn check_every_handle_sees_log_out<S: UserStore, T: LogoutTarget<S>>(
    handles: &Handles<S>,
    open: impl AsyncFn() -> Result<Handle<S>, BrokenRule>,
    target: &T,
) -> Result<(), BrokenRule> {
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
        if seen.is_none() || seen != stamp {
            return Err(BrokenRule::new(
                T::RULES.every_handle_sees,
                format!("the new {} from {by}", T::STAMP),
                T::written(seen),
            ));
        }
    }
    Ok(())
}

/// A stamp of a user as a message shows it.
pub(super) fn written(logged_out_at: Option<Timestamp>) -> String {
    match logged_out_at {
        Some(stamp) => format!("`logged_out_at` at {stamp:?}"),
        None => "no `logged_out_at`".to_owned(),
    }
}
