//! Logouts of all logins of a user but one.

use super::{
    handle::{Handles, at_once},
    rule::{Result, Rule},
};
use crate::{LoginId, Timestamp};

/// How many logins of one user end all others at once.
const CALLERS: usize = 20;
/// How often they do.
const ROUNDS: usize = 10;

/// Whether the store keeps one login. One that does not must leave `log_out_others` to its default.
pub(super) async fn check_one_login_kept_or_not(handles: &Handles) -> Result {
    let rule = Rule::OneLoginKeptOrNot;
    let keeps_one_login = handles.keep_one_login();
    for turn in 0..2 {
        let store = handles.turn(turn);
        let keeps_too = store.keeps_one_login();
        rule.require_eq("`keeps_one_login`", keeps_one_login, keeps_too)?;
        let stamp = store.now().await?;
        let unknown = LoginId::random().to_string();
        let answer = store.log_out_others(&unknown, stamp).await;
        if !keeps_one_login {
            // An error of the store's own says too that it keeps none.
            rule.require(
                !matches!(answer, Ok(Some(_))),
                "`keeps_one_login` to be true where `log_out_others` is implemented",
                "false",
            )?;
            continue;
        }
        let Some(written) = answer? else {
            let expected = "`log_out_others` to be implemented where `keeps_one_login` is true";
            return Err(rule.broken(expected, "its default"));
        };
        let name = "`log_out_others` of an id that no user has";
        Rule::LogOutOthersKeepsOne.require_eq(name, None, written)?;
    }
    Ok(())
}

/// The login with the stamp stays, and the next call with that stamp changes nothing.
pub(super) async fn check_log_out_others(handles: &Handles, id: &str, other: &str) -> Result {
    let rule = Rule::LogOutOthersKeepsOne;
    let bystander = handles.one.logged_out_at(other).await?;
    for turn in 0..10 {
        let (writer, reader) = (handles.turn(turn), handles.turn(turn + 1));
        let stamp = writer.now().await?;
        writer.log_in(id).await?;
        let others = reader.now().await?;
        reader.log_in(id).await?;
        let written = writer.log_out_others(id, stamp).await?.flatten();
        let seen = reader.logged_out_at(id).await?;
        rule.require(
            written.is_some() && written == seen,
            "`log_out_others` to return the `logged_out_at` that it wrote",
            format!("{written:?} and {seen:?}"),
        )?;
        rule.require(
            !others.outlives(seen),
            format!("`logged_out_at` at {others:?}, when another login began, or later"),
            format!("{seen:?}"),
        )?;
        let again = reader.log_out_others(id, stamp).await?.flatten();
        let name = "`log_out_others` with the stamp of a login that has ended";
        rule.require_eq(name, None, again)?;
        if let Some(equal) = seen {
            let again = reader.log_out_others(id, equal).await?.flatten();
            let name = "`log_out_others` with the stamp of the logout";
            rule.require_eq(name, None, again)?;
        }
        let unchanged = writer.logged_out_at(id).await?;
        rule.require_eq("`logged_out_at` after these", seen, unchanged)?;
        // The login that stays has the next stamp, and ends with the next logout.
        let kept_at = seen.map(Timestamp::next);
        writer.log_out(id).await?;
        let ended = reader.logged_out_at(id).await?;
        rule.require(
            ended > kept_at,
            format!(
                "the next logout to be later than {kept_at:?}, the stamp of the login that stayed"
            ),
            format!("{ended:?}"),
        )?;
    }
    let after = handles.one.logged_out_at(other).await?;
    rule.require_eq("`logged_out_at` of another user", bystander, after)
}

pub(super) async fn check_log_outs_of_others_at_once(handles: &Handles, id: &str) -> Result {
    for _ in 0..ROUNDS {
        log_out_others_at_once(handles, id).await?;
    }
    Ok(())
}

async fn log_out_others_at_once(handles: &Handles, id: &str) -> Result {
    let mut stamps = Vec::new();
    for caller in 0..CALLERS {
        let handle = handles.turn(caller);
        stamps.push(handle.now().await?);
        handle.log_in(id).await?;
    }
    let calls = stamps.into_iter().enumerate().map(|(caller, stamp)| {
        let (handle, id) = (handles.turn(caller), id.to_owned());
        async move { handle.log_out_others(&id, stamp).await }
    });
    let written = at_once(calls).await?;
    let stayed = written
        .into_iter()
        .filter(|written| matches!(written, Some(Some(_))));
    Rule::LogOutOthersAtOnce.require_eq("the number of logins that stay", 1, stayed.count())
}
