//! The pages of the site, in the dress of the quickstart, and the policy that they are under. maud
//! escapes whatever a visitor has typed.

use std::time::SystemTime;

use axum::{
    http::{HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::{Html, Response},
};
use axum_clef::{Login, Timestamp, stores::Account, url::form_urlencoded};
use maud::{DOCTYPE, Markup, html};
use time::OffsetDateTime;

use crate::StoredPasskey;

pub const STYLE: &str = include_str!("../../quickstart/src/style.css");
pub const SCRIPT: &str = include_str!("passkey.js");

/// What the pages may do: one script of this site, which sends to this site, no form to another
/// site, no frame around them.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Puts an answer under the policy, unless it has its own.
pub async fn under_policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    response
}

/// The front page.
pub fn home(member: Option<&Account>) -> Html<String> {
    page(
        "The Reading Room",
        &html! {
            @if let Some(member) = member {
                p.kicker { "Welcome back" }
                h1 { "Hello, " (name_of(member)) "." }
                div.action {
                    a.button href="/account" { "Your account" }
                    (sign_out())
                }
            } @else {
                p.kicker { "Open to all" }
                h1 { "The Reading Room" }
                p.lead {
                    "A small site without passwords and without names to remember: your phone, your "
                    "computer or a key logs you in."
                }
                div.action {
                    a.button href="/log-in?next=/account" { "Log in" }
                    a href="/sign-up?next=/account" { "Sign up" }
                }
            }
        },
    )
}

/// The form to log in.
pub fn log_in(next: Option<&str>, failed: bool, is_again: bool) -> Html<String> {
    let fault = failed.then_some("This passkey is not known here. Please try again.");
    page(
        "Log in",
        &html! {
            h1 { "Log in" }
            @if is_again { p.lead { "Please log in again to continue." } }
            (ceremony("get", "/log-in/start", "Log in with a passkey", fault, None))
            @if !is_again {
                p.hint { "No account yet? " a href=(with_next("/sign-up", next)) { "Sign up" } }
            }
        },
    )
}

/// The form to sign up.
pub fn sign_up(next: Option<&str>, failed: bool) -> Html<String> {
    let fault = failed.then_some("This did not work. Please try again.");
    let name = Field {
        label: "Your name",
        value: "",
        autocomplete: "name",
    };
    page(
        "Sign up",
        &html! {
            h1 { "Sign up" }
            (ceremony("create", "/sign-up/start", "Make a passkey", fault, Some(name)))
            p.hint {
                "The name is shown on your device. You need not remember it. "
                a href=(with_next("/log-in", next)) { "Log in" } " if you have an account."
            }
        },
    )
}

/// The form to add a passkey.
pub fn add() -> Html<String> {
    let name = Field {
        label: "A name for it, such as the device",
        value: "Another passkey",
        autocomplete: "off",
    };
    page(
        "Add a passkey",
        &html! {
            h1 { "Add a passkey" }
            (ceremony("create", "/account/add/start", "Make a passkey", None, Some(name)))
            p.hint { a href="/account" { "Back" } }
        },
    )
}

/// The page for the member alone.
pub fn account(member: &Account, login: &Login, passkeys: &[StoredPasskey]) -> Html<String> {
    page(
        "Your account",
        &html! {
            p.kicker { "For you alone" }
            h1 { "Your account" }
            dl {
                dt { "Name" } dd { (name_of(member)) }
                dt { "Logged in" } dd { (moment(login.logged_in_at())) }
                dt { "Passkeys" } dd { (passkeys.len()) }
            }
            @for passkey in passkeys {
                form.note method="post" action="/account/remove" {
                    input type="hidden" name="number" value=(passkey.number);
                    label {
                        (passkey.name) ", added " (moment(passkey.added_at))
                        @if let Some(last_used_at) = passkey.last_used_at {
                            ", last used " (moment(last_used_at))
                        }
                    }
                    @if passkeys.len() > 1 {
                        button.quiet type="submit" { "Remove “" (passkey.name) "”" }
                    }
                }
            }
            div.action {
                a.button href="/account/add" { "Add a passkey" }
                form method="post" action="/account/log-out-everywhere" {
                    button.quiet type="submit" { "Log out everywhere" }
                }
                (sign_out())
            }
            p.hint {
                "With one passkey alone, a lost device is a lost account. Removing a passkey logs you "
                "out everywhere."
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

/// The field of a name.
struct Field<'a> {
    label: &'a str,
    value: &'a str,
    autocomplete: &'a str,
}

/// The form of a ceremony, and its script. Without an `action` it posts to the address of its page.
fn ceremony(
    kind: &str,
    start: &str,
    button: &str,
    fault: Option<&str>,
    name: Option<Field<'_>>,
) -> Markup {
    html! {
        form.note method="post" data-ceremony=(kind) data-start=(start) {
            @if let Some(fault) = fault { p role="alert" { strong { (fault) } } }
            @if let Some(Field { label, value, autocomplete }) = name {
                label for="name" { (label) }
                input id="name" name="name" value=(value) autocomplete=(autocomplete) maxlength="64"
                    required;
            }
            input type="hidden" name="credential";
            button type="submit" disabled { (button) }
            p role="status" {}
            noscript { p { "Passkeys need JavaScript. Please switch it on." } }
        }
        script src="/passkey.js" defer {}
    }
}

fn name_of(member: &Account) -> String {
    member.profile().name().unwrap_or_default()
}

/// The ready sign-out route, for this browser alone.
fn sign_out() -> Markup {
    html! {
        form method="post" action="/auth/sign-out" {
            button.quiet type="submit" { "Sign out" }
        }
    }
}

/// The address of the other form, which leads to the same page.
fn with_next(path: &str, next: Option<&str>) -> String {
    let Some(next) = next else {
        return path.to_owned();
    };
    let query = form_urlencoded::byte_serialize(next.as_bytes());
    format!("{path}?next={}", query.collect::<String>())
}

/// A time in UTC, for people.
fn moment(timestamp: Timestamp) -> String {
    let moment = OffsetDateTime::from(SystemTime::from(timestamp));
    let (hour, minute, second) = moment.time().as_hms();
    format!("{}, {hour:02}:{minute:02}:{second:02} UTC", moment.date())
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
