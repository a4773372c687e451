//! The cause of a logout, in a store that keeps it.

use super::{
    handle::{Handle, Handles, KIT_CAUSE},
    rule::{Result, Rule},
    samples::random_subject,
};
use crate::{EventName, LogoutCause};

/// Whichever method has written the latest logout of a user, the store returns its cause, or never
/// returns any.
pub(super) async fn check_logout_causes(handles: &Handles, id: &str, other: &str) -> Result {
    let store = &handles.one;
    let keeps = keeps_causes(handles, id).await?;
    let bystander = cause_of(store, other).await?;
    let causes = [
        LogoutCause::User,
        LogoutCause::Administrator,
        LogoutCause::Provider(None),
        LogoutCause::provider(&"x".repeat(EventName::LONGEST)),
        LogoutCause::CredentialsChanged,
        LogoutCause::Unknown,
        LogoutCause::Policy,
    ];
    for (turn, cause) in causes.iter().enumerate() {
        let (writer, reader) = (handles.turn(turn), handles.turn(turn + 1));
        writer.log_out_by(id, cause).await?;
        check_cause(&reader, id, keeps.then_some(cause), "log_out_with_cause").await?;
        let logged_in = reader.log_in(id).await?.logout_cause;
        let expected = cause_of(&reader, id).await?;
        let name = "`logout_cause` of the user that `log_in` returns";
        Rule::LogOutKeepsCause.require_eq(name, expected, logged_in)?;
    }
    let stamp = store.logged_out_at(id).await?;
    let found = store.log_out_without_cause(id).await?;
    let raised = store.logged_out_at(id).await?;
    Rule::LogOutOnlyRises.require(
        found && raised > stamp,
        format!("`log_out` to find the user and raise {stamp:?}"),
        format!("`{found}` and {raised:?}"),
    )?;
    check_cause(store, id, None, "log_out").await?;
    if handles.keep_one_login() {
        let stamp = store.now().await?;
        store.log_in(id).await?;
        for time in ["", " that changed nothing"] {
            store.log_out_others(id, stamp).await?;
            let method = format!("log_out_others_with_cause{time}");
            check_cause(store, id, keeps.then_some(&KIT_CAUSE), &method).await?;
        }
    }
    let after = cause_of(store, other).await?;
    let name = "`logout_cause` of another user";
    Rule::LogOutKeepsCause.require_eq(name, bystander, after)
}

/// A logout by subject keeps its cause where one by id does.
pub(super) async fn check_subject_logout_cause(handles: &Handles) -> Result {
    let store = &handles.one;
    let subject = random_subject();
    let id = store.find_or_create(&subject).await?.id;
    let keeps = keeps_causes(handles, &id).await?;
    store.log_out_without_cause(&id).await?;
    store.log_out_subject(&subject).await?;
    let (cause, method) = (keeps.then_some(&KIT_CAUSE), "log_out_subject_with_cause");
    check_cause(&handles.other, &id, cause, method).await
}

/// Whether the store keeps causes. One that does not is right too.
async fn keeps_causes(handles: &Handles, id: &str) -> Result<bool> {
    handles.one.log_out_by(id, &KIT_CAUSE).await?;
    Ok(cause_of(&handles.other, id).await? != LogoutCause::Unknown)
}

async fn check_cause(
    store: &Handle,
    id: &str,
    cause: Option<&LogoutCause>,
    method: &str,
) -> Result {
    let name = format!("`logout_cause` after `{method}`");
    let expected = cause.cloned().unwrap_or_default();
    Rule::LogOutKeepsCause.require_eq(&name, expected, cause_of(store, id).await?)
}

async fn cause_of(store: &Handle, id: &str) -> Result<LogoutCause> {
    let user = store.load(id).await?;
    Ok(user.map(|user| user.logout_cause).unwrap_or_default())
}
