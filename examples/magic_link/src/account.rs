//! The page for the member alone.

use axum::{
    extract::State,
    response::{Html, Redirect},
};
use axum_clef::{LoggedIn, Login, LogoutCause, Logouts, SameOrigin, User as _, stores::Account};

use crate::{Problem, Site, pages};

/// Guarded: the extractor is the guard.
pub async fn account(LoggedIn(member): LoggedIn<Account>, login: Login) -> Html<String> {
    pages::account(&member, &login)
}

/// Ends every login of the member, this one included, and every link that is open.
pub async fn log_out_everywhere(
    _: SameOrigin,
    LoggedIn(member): LoggedIn<Account>,
    State(site): State<Site>,
    logouts: Logouts,
) -> Result<Redirect, Problem> {
    let logouts = logouts.with_cause(LogoutCause::User);
    logouts.log_out_user(&member.id()).await?;
    // None of them logs in any more; they only count for the limit.
    let address = member.profile().email.as_deref();
    site.links.delete(address.unwrap_or_default()).await?;
    Ok(Redirect::to("/"))
}
