//! The small page of a login that did not work out.

use axum::{
    http::{HeaderName, header},
    response::{IntoResponse as _, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{LoginFailure, LoginFailureKind};

const STYLE: &str = include_str!("page.css");

/// What happened, in one line.
pub(super) fn headline(failure: &LoginFailure) -> String {
    let provider = failure.provider();
    match failure.kind() {
        LoginFailureKind::BadRequest => "That is not a login".to_owned(),
        LoginFailureKind::StateMismatch => "This login is over".to_owned(),
        LoginFailureKind::Declined => "The login was not finished".to_owned(),
        LoginFailureKind::Refused => format!("{provider} did not confirm the login"),
        LoginFailureKind::TurnedAway => "You cannot log in here".to_owned(),
        LoginFailureKind::LoggedOutMeanwhile => "You logged out in the meantime".to_owned(),
        LoginFailureKind::ForeignOrigin => "That came from another site".to_owned(),
        LoginFailureKind::ProviderUnavailable => format!("{provider} cannot be reached"),
        LoginFailureKind::Overloaded => "Too many logins at once".to_owned(),
        LoginFailureKind::StoreUnavailable => "This is not possible right now".to_owned(),
        LoginFailureKind::NotSignedOut => "You are not signed out yet".to_owned(),
        LoginFailureKind::Misconfigured | LoginFailureKind::LayerMissing => {
            "This site is not set up right".to_owned()
        }
    }
}

/// Why, and what to do about it.
pub(super) fn explanation(failure: &LoginFailure) -> String {
    let provider = failure.provider();
    match failure.kind() {
        LoginFailureKind::BadRequest => {
            "The address lacks something or has too much of it. Begin again.".to_owned()
        }
        LoginFailureKind::StateMismatch => {
            "It was begun in another browser or at another address of this site, took too long, \
             or was used before. Begin again."
                .to_owned()
        }
        LoginFailureKind::Declined => {
            format!(
                "{provider} sent you back without one. If you cancelled it, that is fine: nothing \
                 has changed, and you can log in whenever you like."
            )
        }
        LoginFailureKind::Refused => "It took too long or was used before.".to_owned(),
        LoginFailureKind::TurnedAway => {
            format!("{provider} knows you, but this site has no place for you.")
        }
        LoginFailureKind::LoggedOutMeanwhile => {
            "A logout came while this login was under way, so the login does not count. Begin \
             again."
                .to_owned()
        }
        LoginFailureKind::ForeignOrigin => {
            "A page of another site tried to sign you out. Nothing has changed.".to_owned()
        }
        LoginFailureKind::ProviderUnavailable => {
            format!("This site could not ask {provider} who you are. Try again in a moment.")
        }
        LoginFailureKind::Overloaded => {
            "Your login was not used up. Please try again in a few seconds.".to_owned()
        }
        LoginFailureKind::StoreUnavailable => {
            "This site cannot look you up at the moment. Try again soon.".to_owned()
        }
        LoginFailureKind::NotSignedOut => {
            "Your logins could not be ended at the moment, this one included. Sign out again in \
             a moment, before you leave this device."
                .to_owned()
        }
        LoginFailureKind::Misconfigured => {
            format!("{provider} does not accept this site. Tell its owner; the log says why.")
        }
        LoginFailureKind::LayerMissing => {
            "The login routes are not inside their layer. Tell its owner; the log says more."
                .to_owned()
        }
    }
}

pub(super) fn failure(failure: &LoginFailure) -> Response {
    let content = html! {
        p { (explanation(failure)) }
        @if failure.kind() == LoginFailureKind::ForeignOrigin {
            a href="/" { "To the front page" }
        } @else if failure.kind() == LoginFailureKind::Overloaded {
            // This very address: the login goes on where it was refused.
            a href="" { "Try again" }
            a class="quiet" href="/" { "To the front page" }
        } @else if failure.kind() == LoginFailureKind::NotSignedOut {
            form method="post" action=(failure.sign_out_path()) {
                button { "Sign out" }
                a class="quiet" href="/" { "To the front page" }
            }
        } @else {
            a href=(failure.retry_url()) {
                "Log in" @if !failure.chooses() { " with " (failure.provider()) }
            }
            a class="quiet" href="/" { "To the front page" }
        }
    };
    let page = page(&failure.title(), &html! {}, &content, NO_SCRIPT);
    (failure.status(), page).into_response()
}

/// Separates a page from the window that opened it: a page of another site that did cannot lead
/// it elsewhere after the login.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What a page may load: nothing, but the style that is in it.
const NO_SCRIPT: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
/// And a script of the site.
pub(super) const OWN_SCRIPT: &str = "default-src 'none'; script-src 'self'; \
     style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// A page of the crate's own, under its headline.
pub(super) fn page(
    headline: &str,
    head: &Markup,
    content: &Markup,
    policy: &'static str,
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (headline) }
                style { (PreEscaped(STYLE)) }
                (head)
            }
            body {
                main {
                    h1 { (headline) }
                    (content)
                }
            }
        }
    };
    (
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (OPENER_POLICY, "same-origin"),
        ],
        page.into_string(),
    )
        .into_response()
}
