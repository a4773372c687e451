//! Signing up and logging in, on the pages.

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use axum_clef::{NewLogin, secrecy::SecretString};
use serde::Deserialize;

use crate::{Problem, Site, accounts, attempts::Attempt, pages, passwords};

/// The address of a form. It has no `action`, so it posts to the address of its page, with `next`.
#[derive(Deserialize)]
pub(crate) struct FormQuery {
    next: Option<String>,
    #[serde(default)]
    failed: bool,
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: SecretString,
}

pub(crate) async fn log_in_page(Query(query): Query<FormQuery>) -> Html<String> {
    pages::log_in(query.next.as_deref(), query.failed)
}

/// Logs in. `NewLogin` stands first: it reads the time before the password is verified.
pub(crate) async fn log_in(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    Form(form): Form<Credentials>,
) -> Result<Redirect, Problem> {
    let verified = site
        .accounts
        .verify(&site.passwords, &form.name, &form.password);
    match verified.await? {
        Some(user_id) => Ok(login.begin(&user_id).await?),
        None => Ok(login.try_again()),
    }
}

pub(crate) async fn sign_up_page(Query(query): Query<FormQuery>) -> Html<String> {
    pages::sign_up(query.next.as_deref(), None)
}

/// Signs up, and logs in.
pub(crate) async fn sign_up(
    login: NewLogin,
    _: Attempt,
    State(site): State<Site>,
    Query(query): Query<FormQuery>,
    Form(form): Form<Credentials>,
) -> Result<Response, Problem> {
    let refuse = |status: StatusCode, fault: &str| {
        let page = pages::sign_up(query.next.as_deref(), Some(fault));
        Ok((status, page).into_response())
    };
    let Some(name) = accounts::account_name(&form.name) else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, accounts::NAME_RULE);
    };
    if let Err(fault) = passwords::check_length(&form.password) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &fault);
    }
    let hash = site.passwords.hash(&form.password).await?;
    match site.accounts.sign_up(&name, &hash).await? {
        Some(id) => Ok(login.begin(&id).await?.into_response()),
        None => refuse(StatusCode::CONFLICT, "This name is taken."),
    }
}
