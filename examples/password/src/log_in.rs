//! Signing up and logging in.

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use axum_clef::{LoggedIn, LoggedInRejection, NewLogin, secrecy::SecretString};
use serde::Deserialize;

use crate::{Member, Problem, Site, attempts::Attempt, pages, passwords, store};

/// What the address of a form says: where the login leads, why a member who is logged in is there,
/// and whether a login has just failed.
///
/// The forms have no `action`, so they post to the address of their page, with `next` in it.
#[derive(Deserialize)]
pub struct FormQuery {
    next: Option<String>,
    /// From the guard of recent logins.
    max_age: Option<String>,
    #[serde(default)]
    failed: bool,
}

/// A name and a password.
#[derive(Deserialize)]
pub struct Credentials {
    name: String,
    password: SecretString,
    /// There if the box is ticked.
    remember: Option<String>,
}

/// The login form. It says why the member is there: "You logged out at 10:03 UTC on 2 March 2026, here
/// or on another device."
pub async fn log_in_page(
    member: Result<LoggedIn<Member>, LoggedInRejection>,
    Query(query): Query<FormQuery>,
) -> Html<String> {
    let ended = member
        .as_ref()
        .err()
        .and_then(LoggedInRejection::ended_login);
    let ended = ended.map(ToString::to_string);
    let lead = match query.max_age {
        Some(_) => Some("Please log in again to continue."),
        None => ended.as_deref(),
    };
    pages::log_in(query.next.as_deref(), lead, query.failed)
}

/// Logs in. `NewLogin` stands first: it reads the time before the password is verified, so a change
/// of the password that comes in between ends this login. It also refuses forms of other sites.
pub async fn log_in(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    Form(form): Form<Credentials>,
) -> Result<Redirect, Problem> {
    let login = login.remember(form.remember.is_some());
    match site.verify(&form.name, &form.password).await? {
        Some(stored) => Ok(login.begin(&stored.member_id()).await?),
        None => Ok(login.try_again()),
    }
}

/// The sign-up form.
pub async fn sign_up_page(Query(query): Query<FormQuery>) -> Html<String> {
    pages::sign_up(query.next.as_deref(), "", None)
}

/// Signs up, and logs in.
///
/// A name exists once, so this form has to say which names are taken; `Attempt` bounds how many a
/// client asks for. A site with e-mail addresses for names can say the same for both, and the rest
/// in an e-mail.
pub async fn sign_up(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    Query(query): Query<FormQuery>,
    Form(form): Form<Credentials>,
) -> Result<Response, Problem> {
    let refuse = |status: StatusCode, fault: &str| {
        let page = pages::sign_up(query.next.as_deref(), &form.name, Some(fault));
        Ok((status, page).into_response())
    };
    let Some(name) = store::member_name(&form.name) else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, store::NAME_RULE);
    };
    if let Err(fault) = passwords::check_length(&form.password) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &fault);
    }
    let hash = site.passwords.hash(&form.password).await?;
    let Some(id) = site.members.sign_up(&name, &hash).await? else {
        return refuse(StatusCode::CONFLICT, "This name is taken.");
    };
    let login = login.remember(form.remember.is_some());
    Ok(login.begin(&id).await?.into_response())
}
