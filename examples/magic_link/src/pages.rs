//! The pages of the site, in the dress of the quickstart, and the policies that they are under. maud
//! escapes whatever a visitor has typed.

use std::time::SystemTime;

use axum::{
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY},
    },
    response::{Html, Response},
};
use axum_clef::{Login, Timestamp, stores::Account};
use maud::{DOCTYPE, Markup, html};
use time::OffsetDateTime;

use crate::Link;

pub const STYLE: &str = include_str!("../../quickstart/src/style.css");

/// What the pages may do: no script, no form to another site, no frame around them.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// Puts an answer under the policy, unless it has its own.
pub async fn under_policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    response
}

/// For pages with a secret in their address: it is in no cache, and in no `Referer`.
pub async fn secret(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The front page.
pub fn home(member: Option<&Account>) -> Html<String> {
    page(
        "The Reading Room",
        &html! {
            @if let Some(member) = member {
                p.kicker { "Welcome back" }
                h1 { "Hello, " (address_of(member)) "." }
                div.action {
                    a.button href="/account" { "Your account" }
                    (sign_out())
                }
            } @else {
                p.kicker { "Open to all" }
                h1 { "The Reading Room" }
                p.lead {
                    "A small site without passwords: it sends you a link. Log out everywhere, and every "
                    "login and every link of yours ends, at once."
                }
                div.action { a.button href="/log-in?next=/account" { "Log in or sign up" } }
            }
        },
    )
}

/// The form that requests a link.
pub fn address(address: &str, fault: Option<&str>) -> Html<String> {
    page(
        "Log in",
        &html! {
            h1 { "Log in" }
            form.note method="post" {
                @if let Some(fault) = fault { p role="alert" { strong { (fault) } } }
                label for="email" { "E-mail address" }
                input id="email" name="email" type="email" value=(address) autocomplete="email" required;
                button type="submit" { "Send me a link" }
            }
            p.hint { "No account yet? Your first link makes one." }
        },
    )
}

/// What to do next.
pub fn sent() -> Html<String> {
    page(
        "Read your mail",
        &html! {
            h1 { "Read your mail" }
            p.lead { "A link is on its way to you. Open it on the device where you want to log in." }
            p { "It works once, for ten minutes. You can close this page." }
            p.hint { "No mail? " a href="/log-in" { "Check the address" } " and your spam folder." }
        },
    )
}

/// The page of a link, and the button that spends it.
pub fn link(link: &Link, is_this_browser: bool) -> Html<String> {
    page(
        "Log in",
        &html! {
            h1 { "Log in here?" }
            @if is_this_browser {
                p.lead { "You requested this link in this browser." }
            } @else {
                p.lead role="status" {
                    "This link was requested in another browser: " (link.requested_in) ". It logs you "
                    "in here, not there. If you did not request it, close this page."
                }
            }
            dl {
                dt { "Address" } dd { (link.address.as_str()) }
                dt { "Requested" } dd { (moment(link.requested_at)) }
            }
            form.note method="post" {
                label {
                    input type="checkbox" name="remember"; " Stay logged in when the browser closes"
                }
                button type="submit" { "Log in" }
            }
        },
    )
}

/// For a link that is spent, expired or made up.
pub fn link_is_invalid() -> Html<String> {
    page(
        "This link no longer works",
        &html! {
            h1 { "This link no longer works" }
            p.lead { "A link works once, for ten minutes, and ends when you log out everywhere." }
            div.action { a.button href="/log-in" { "Send me another link" } }
        },
    )
}

/// The page for the member alone.
pub fn account(member: &Account, login: &Login) -> Html<String> {
    page(
        "Your account",
        &html! {
            p.kicker { "For you alone" }
            h1 { "Your account" }
            dl {
                dt { "Address" } dd { (address_of(member)) }
                dt { "Logged in" } dd { (moment(login.logged_in_at())) }
            }
            div.action {
                form method="post" action="/account/log-out-everywhere" {
                    button.quiet type="submit" { "Log out everywhere" }
                }
                (sign_out())
            }
        },
    )
}

/// One sentence about what went wrong.
pub fn problem(sentence: &str) -> Html<String> {
    page(
        "Please try again",
        &html! {
            h1 { "Please try again" }
            p.lead { (sentence) }
            a href="/" { "Front page" }
        },
    )
}

/// A time in UTC, for people.
pub fn moment(timestamp: Timestamp) -> String {
    let moment = OffsetDateTime::from(SystemTime::from(timestamp));
    let (hour, minute, second) = moment.time().as_hms();
    format!("{}, {hour:02}:{minute:02}:{second:02} UTC", moment.date())
}

fn address_of(member: &Account) -> &str {
    member.profile().email.as_deref().unwrap_or_default()
}

/// The ready sign-out route, for this browser alone.
fn sign_out() -> Markup {
    html! {
        form method="post" action="/auth/sign-out" {
            button.quiet type="submit" { "Sign out" }
        }
    }
}

fn page(title: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href="/style.css";
            }
            body { main { (content) } }
        }
    };
    Html(page.into_string())
}
