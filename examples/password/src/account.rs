//! What a member does with their account.

use axum::{
    Form, RequestPartsExt as _,
    extract::{Query, State},
    http::{StatusCode, request::Parts},
    response::{Html, IntoResponse as _, Redirect, Response},
};
use axum_clef::{
    LoggedIn, Login, Logouts, NewLogin, RecentLogin, SameOrigin, SignOut, User as _,
    secrecy::SecretString,
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
    /// There if the box is ticked: the new login is not remembered because the one before was.
    remember: Option<String>,
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

/// Changes the password, ends every login of the member, and begins a new one in this browser.
///
/// The order is what makes it safe:
///
/// 1. The password is written first. After the logout, the old one begins no login.
/// 2. The logout ends every login, this one and each that is under way with the old password.
/// 3. The new login is like any other: its time is read, then the *new* password is verified. So a
///    logout or another change of the password that comes in between wins, and this browser is out.
///    If this step fails, this browser is out too, and logs in with the new password.
pub async fn change_password(
    _: SameOrigin,
    LoggedIn(member): LoggedIn<Member>,
    _: Attempt,
    logouts: Logouts,
    State(site): State<Site>,
    mut parts: Parts,
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

    let (id, members) = (member.id(), site.members.clone());
    let changed = to_the_end(async move {
        let changed = members.change_password(&current, &hash).await?;
        if changed {
            logouts.log_out_user(&id).await?;
        }
        Ok(changed)
    });
    if !changed.await? {
        return refuse(WRONG_PASSWORD); // it was changed a moment ago
    }

    let login: NewLogin = parts.extract().await?;
    match site.verify(member.name(), &form.new).await? {
        Some(stored) => {
            let login = login.remember(form.remember.is_some());
            let login = login.next("/account?changed=true");
            Ok(login.begin(&stored.member_id()).await?.into_response())
        }
        None => Ok(login.try_again().into_response()),
    }
}

/// Ends every login of the member, this one included.
pub async fn log_out_everywhere(
    _: SameOrigin,
    login: Login,
    logouts: Logouts,
) -> Result<Redirect, Problem> {
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
    sign_out: SignOut,
    State(site): State<Site>,
) -> Result<Redirect, Problem> {
    site.members.delete(&member).await?;
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
