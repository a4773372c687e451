//! The pages of the site, in the dress of the quickstart. Whatever a provider told about a person
//! is escaped by maud.

use std::time::SystemTime;

use axum::response::Html;
use axum_clef::{Login, stores::Account};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use time::OffsetDateTime;

const STYLE: &str = include_str!("../../quickstart/src/style.css");

/// The front page without a login.
pub fn welcome() -> Html<String> {
    page(
        "The Reading Room",
        &html! {
            p.kicker { "Open to all" }
            h1 { "The Reading Room" }
            p.lead {
                "A small site with one quiet promise: log out where you logged in, and your login "
                "here is over with it, at once."
            }
            div.action { a.button href="/clef/login?next=/account" { "Log in" } }
        },
    )
}

/// The front page of a user.
pub fn greeting(user: &Account) -> Html<String> {
    page(
        "The Reading Room",
        &html! {
            p.kicker { "Welcome back" }
            h1 { "Hello, " (name(user)) "." }
            p.lead { "Your seat is by the window. Everything here knows that it is you." }
            div.action {
                a.button href="/account" { "Your account" }
                (sign_out())
            }
        },
    )
}

/// The page for members only.
pub fn account(user: &Account, login: &Login) -> Html<String> {
    let profile = user.profile();
    let subject = &profile.subject;
    page(
        "Your account",
        &html! {
            p.kicker { "For you alone" }
            h1 { "Your account" }
            dl {
                dt { "Name" } dd { (name(user)) }
                // Only an address that the provider does not call unverified.
                dt { "E-mail" } dd { (profile.email.as_deref().unwrap_or("–")) }
                dt { "Provider" } dd { (subject.issuer()) }
                dt { "Id there" } dd { (subject.id()) }
                dt { "Logged in" } dd { (moment(login)) }
            }
            div.action {
                a.button href="/" { "Front page" }
                (sign_out())
            }
            (things_to_try(subject.issuer()))
        },
    )
}

fn sign_out() -> Markup {
    html! {
        form method="post" action="/auth/sign-out" {
            button.quiet type="submit" { "Sign out" }
        }
    }
}

fn things_to_try(issuer: &str) -> Markup {
    html! {
        div.hint {
            p { strong { "What to try" } }
            ol {
                li {
                    "Log in as the same person in another browser too. A private window is one."
                }
                li {
                    "Log out at " a href=(issuer) target="_blank" { "the provider" } " in this "
                    "browser, and load this page again: you are out. The other browser is still in, "
                    "because the provider says which of its sessions ended."
                }
                li {
                    "Press " strong { "Sign out" } " in the other browser: your login here ends "
                    "first, then it goes on at the provider and comes back."
                }
                li {
                    "Stop the provider, and load this page: nothing changes. Logins fail until the "
                    "provider is back."
                }
            }
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

fn page(title: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
    };
    Html(page.into_string())
}
