//! Logouts, one after the other.

use super::{
    BrokenRule, Rule,
    handle::{Handle, Handles},
    person::{fresh_issuer, fresh_person},
    whose::Whose,
};
use crate::{Subject, Timestamp, User as _, UserStore};

/// How many logouts follow each other: a coarse clock shows only now and then.
const ROUNDS: usize = 30;

pub(super) async fn check_log_out_of_nobody<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let broken = |seen: String| {
        let expected =
            "`log_out` of somebody who never logged in to be `false`, and no trace of it";
        Err(BrokenRule::new(Rule::LogOutOfNobody, expected, seen))
    };
    let nobody = fresh_person();
    // The second time tells whether the first made somebody.
    for time in ["first", "second"] {
        if store.log_out(&nobody).await? {
            return broken(format!("`true` the {time} time"));
        }
    }
    match store.log_in(&nobody).await?.logged_out_at() {
        None => Ok(()),
        Some(stamp) => broken(format!("{stamp:?} at their first login later")),
    }
}

pub(super) async fn check_log_out<S: UserStore>(
    handles: &Handles<S>,
    whose: &Whose,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let moment = whose.moment();
    let mut previous: Option<Timestamp> = None;
    for _ in 0..ROUNDS {
        let before = handles.other.now().await?;
        let found = whose.log_out(store).await?;
        let stamp = whose.logged_out_at(store).await?;
        let after = store.now().await?;

        if previous.is_some() && stamp <= previous {
            return Err(BrokenRule::new(
                whose.only_rises(),
                format!(
                    "more than {} after the next logout",
                    whose.written(previous)
                ),
                whose.written(stamp),
            ));
        }
        if !found || stamp.is_none() || before.outlives(stamp) {
            return Err(BrokenRule::new(
                whose.ends_logins_before(),
                format!("`true` and {moment} at {before:?}, when it was called, or later"),
                format!("`{found}` and {}", whose.written(stamp)),
            ));
        }
        if !after.outlives(stamp) {
            return Err(BrokenRule::new(
                whose.login_after_works(),
                format!("{moment} before {after:?}, which `now` gave after the logout"),
                whose.written(stamp),
            ));
        }
        previous = stamp;
    }
    Ok(())
}

pub(super) async fn check_login_keeps_log_out<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let alex = fresh_person();
    let id = store.log_in(&alex).await?.id();
    store.log_out(&alex).await?;
    let stamp = store.logged_out_at(&id).await?;
    let answered = store.log_in(&alex).await?.logged_out_at();
    let loaded = store.logged_out_at(&id).await?;
    for (seen, whose) in [(answered, "log_in"), (loaded, "load")] {
        if seen != stamp {
            return Err(BrokenRule::new(
                Rule::LoginKeepsLogOut,
                format!("{} as it was before the next login", written(stamp)),
                format!("{} in the user of `{whose}`", written(seen)),
            ));
        }
    }
    Ok(())
}

pub(super) async fn check_log_out_ends_one_person<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let alex = fresh_person();
    let others = [
        Subject::new(alex.issuer(), "67890"),
        Subject::new(fresh_issuer(), alex.id()),
    ];
    store.log_in(&alex).await?;
    let mut ids = Vec::new();
    for other in &others {
        ids.push(store.log_in(other).await?.id());
    }
    store.log_out(&alex).await?;
    for (id, other) in ids.iter().zip(&others) {
        let stamp = store.logged_out_at(id).await?;
        if stamp.is_some() {
            return Err(BrokenRule::new(
                Rule::LogOutEndsOnePerson,
                format!("`logged_out_at` of {other:?} to stay `None` when {alex:?} is logged out"),
                written(stamp),
            ));
        }
    }
    Ok(())
}

/// A handle that was there before sees the logout, and so does one that is opened after it.
pub(super) async fn check_every_handle_sees_log_out<S: UserStore>(
    handles: &Handles<S>,
    open: impl AsyncFn() -> Result<Handle<S>, BrokenRule>,
    whose: &Whose,
) -> Result<(), BrokenRule> {
    let Handles { one, other } = handles;
    // Before the logout too: a store that keeps what it loaded has it now.
    for handle in [one, other] {
        whose.logged_out_at(handle).await?;
    }
    whose.log_out(one).await?;
    let seen_by_other = whose.logged_out_at(other).await?;
    let stamp = whose.logged_out_at(one).await?;
    let seen_later = whose.logged_out_at(&open().await?).await?;
    for (seen, by) in [
        (seen_by_other, "another handle"),
        (stamp, "the handle that logged out"),
        (seen_later, "a handle opened later"),
    ] {
        if seen.is_none() || seen != stamp {
            return Err(BrokenRule::new(
                whose.every_handle_sees(),
                format!("the new {} from {by}", whose.moment()),
                whose.written(seen),
            ));
        }
    }
    Ok(())
}

/// A stamp as a message shows it.
pub(super) fn written(logged_out_at: Option<Timestamp>) -> String {
    match logged_out_at {
        Some(stamp) => format!("`logged_out_at` at {stamp:?}"),
        None => "no `logged_out_at`".to_owned(),
    }
}
