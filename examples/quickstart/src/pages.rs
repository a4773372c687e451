//! The pages of the site, and the policy that they are under. Whatever a provider told about a
//! person is escaped by maud.

use std::time::SystemTime;

use axum::{
    http::{HeaderName, HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::{Html, Response},
};
use axum_clef::{ClefButton, Login, User as _, stores::Account};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use time::OffsetDateTime;

use crate::loopback::Failure;

pub const STYLE: &str = include_str!("style.css");

/// The longest note, in characters.
pub const LONGEST_NOTE: usize = 500;

/// What the pages may do: nothing but what they need. The script of the button is Clef's.
pub fn policy(clef_url: &str) -> Result<HeaderValue, Failure> {
    let policy = format!(
        "default-src 'none'; script-src 'self' {clef_url}; connect-src 'self'; style-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    Ok(HeaderValue::try_from(policy)?)
}

/// Separates a page from the window that opened it.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Puts an answer under the policies, unless it has its own.
pub async fn under(policy: HeaderValue, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    headers
        .entry(OPENER_POLICY)
        .or_insert(HeaderValue::from_static("same-origin"));
    response
}

/// The front page without a login.
pub fn welcome(button: &ClefButton) -> Html<String> {
    page(
        "The Reading Room",
        false,
        &html! {
            p.kicker { "Open to all" }
            h1 { "The Reading Room" }
            p.lead {
                "A small site with one quiet promise: end your login on your phone, and it is "
                "over everywhere, at once."
            }
            // The button is HTML that the crate has escaped already.
            div.action { (PreEscaped(button.html())) }
        },
    )
}

/// The front page of a user.
pub fn greeting(user: &Account) -> Html<String> {
    page(
        "The Reading Room",
        true,
        &html! {
            p.kicker { "Welcome back" }
            h1 { "Hello, " (name(user)) "." }
            p.lead { "Your seat is by the window. Everything here knows that it is you." }
            div.action {
                a.button href="/account" { "Your account" }
                (sign_out())
            }
            (hint(user, "this page covers itself."))
        },
    )
}

/// The page for members only.
pub fn account(user: &Account, login: &Login, note: &str) -> Html<String> {
    let profile = user.profile();
    page(
        "Your account",
        true,
        &html! {
            p.kicker { "For you alone" }
            h1 { "Your account" }
            dl {
                dt { "Name" } dd { (name(user)) }
                dt { "E-mail" } dd { (profile.email.as_deref().unwrap_or("–")) }
                dt { "Member number" } dd { (user.id()) }
                dt { "Clef id" } dd { (profile.subject.id()) }
                dt { "Logged in" } dd { (moment(login)) }
            }
            form.note method="post" action="/account/note" {
                label for="note" { "A note to yourself" }
                textarea id="note" name="note" rows="3" maxlength=(LONGEST_NOTE) { (note) }
                button.quiet type="submit" { "Keep the note" }
            }
            div.action {
                a.button href="/" { "Front page" }
                (sign_out())
            }
            (hint(
                user,
                "this page covers itself. What you were writing is still here when you have logged \
                 in again over it.",
            ))
        },
    )
}

fn sign_out() -> Markup {
    html! {
        form method="post" action="/auth/sign-out" {
            button.quiet type="submit" { "Sign out on this device" }
        }
    }
}

fn hint(user: &Account, then: &str) -> Markup {
    // The issuer of the local Clef is its address.
    let phone = format!("{}/phone", user.profile().subject.issuer());
    html! {
        p.hint {
            "To be logged out on every device at once, press " strong { "Log out now" } " on "
            a href=(phone) target="_blank" { "the phone" } ": " (then)
        }
    }
}

fn name(user: &Account) -> String {
    let name = user.profile().name();
    name.unwrap_or_else(|| "stranger".to_owned())
}

/// When the login began, in UTC.
fn moment(login: &Login) -> String {
    let moment = OffsetDateTime::from(SystemTime::from(login.logged_in_at()));
    let (date, time) = (moment.date(), moment.time());
    let (hour, minute, second) = time.as_hms();
    format!("{date}, {hour:02}:{minute:02}:{second:02} UTC")
}

/// A page with the script that covers it when the login ends. Without a login there is nothing to
/// cover.
fn page(title: &str, private: bool, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href="/style.css";
                script src="/auth/live.js" data-private[private] defer {}
            }
            body { main { (content) } }
        }
    };
    Html(page.into_string())
}
