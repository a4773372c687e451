//! What a member does with their account.

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use axum_clef::{
    LoggedIn, Login, LogoutCause, Logouts, OtherLogins, RecentLogin, SameOrigin, SignOut,
    User as _, secrecy::SecretString,
};
use serde::Deserialize;

use crate::{Member, Problem, Site, attempts::Attempt, pages, passwords};

const WRONG_PASSWORD: &str = "This is not your password.";

/// What the address of the account page says.
#[derive(Deserialize)]
pub struct AccountQuery {
    #[serde(default)]
    changed: bool,
}

/// The form that changes the password.
#[derive(Deserialize)]
pub struct PasswordChange {
    current: SecretString,
    new: SecretString,
}

/// Guarded: the extractor is the guard.
pub async fn account(
    LoggedIn(member): LoggedIn<Member>,
    login: Login,
    Query(query): Query<AccountQuery>,
) -> Html<String> {
    pages::account(&member, &login, query.changed)
}

/// The form to change the password.
pub async fn password_page(LoggedIn(member): LoggedIn<Member>) -> Html<String> {
    pages::password(&member, None)
}

/// Changes the password, and ends every login of the member but that of this browser.
///
/// The order is what makes it safe: the password is written first. So after the logout the old one
/// begins no login, and the logout ends each that is under way with it. A logout or another change of
/// the password that comes in between wins, and this browser is out.
pub async fn change_password(
    others: OtherLogins,
    LoggedIn(member): LoggedIn<Member>,
    _: Attempt,
    State(site): State<Site>,
    Form(form): Form<PasswordChange>,
) -> Result<Response, Problem> {
    let refuse = |fault: &str| {
        let page = pages::password(&member, Some(fault));
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    if let Err(fault) = passwords::check_length(&form.new) {
        return refuse(&fault);
    }
    let Some(current) = site.verify(member.name(), &form.current).await? else {
        return refuse(WRONG_PASSWORD);
    };
    let hash = site.passwords.hash(&form.new).await?;

    let members = site.members.clone();
    let others = others.with_cause(LogoutCause::CredentialsChanged);
    let changed = to_the_end(async move {
        let changed = members.change_password(&current, &hash).await?;
        if changed {
            others.log_out().await?;
        }
        Ok(changed)
    });
    match changed.await? {
        true => Ok(Redirect::to("/account?changed=true").into_response()),
        false => refuse(WRONG_PASSWORD), // it was changed a moment ago
    }
}

/// Ends every login of the member, this one included.
pub async fn log_out_everywhere(
    _: SameOrigin,
    login: Login,
    logouts: Logouts,
) -> Result<Redirect, Problem> {
    let logouts = logouts.with_cause(LogoutCause::User);
    logouts.log_out_user(login.user_id()).await?;
    Ok(Redirect::to("/"))
}

/// The form to delete the account. A browser that was left open is logged in too, so a member who
/// logged in more than ten minutes ago logs in again first, and comes back here.
pub async fn delete_page(_: RecentLogin<10>, LoggedIn(member): LoggedIn<Member>) -> Html<String> {
    pages::delete(&member)
}

/// Deletes the account, and with it every login: no user, no login.
pub async fn delete(
    _: SameOrigin,
    _: RecentLogin<10>,
    LoggedIn(member): LoggedIn<Member>,
    logouts: Logouts,
    sign_out: SignOut,
    State(site): State<Site>,
) -> Result<Redirect, Problem> {
    site.members.delete(&member).await?;
    // For a site with open pages, or with nodes that cache users for a lease.
    if let Err(error) = logouts.log_out_user(&member.id()).await {
        tracing::warn!(%error, "the logins of a deleted account were not ended");
    }
    // Removes the cookie. If that fails, it is the cookie of no user.
    if let Err(error) = sign_out.end().await {
        tracing::warn!(%error, "the login of a deleted account was not removed");
    }
    Ok(Redirect::to("/"))
}

/// Runs to its end, also if the client hangs up: a new password without the logout would be half a
/// change.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(Problem::Failed(error.into())))
}
