//! The pages of the site, in the dress of the quickstart. What GitHub says about a user is escaped by
//! maud.

use axum::response::Html;
use axum_clef::{Login, stores::Account};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("../../quickstart/src/style.css");

/// The front page.
pub fn home(user: Option<&Account>) -> Html<String> {
    page(
        "The Reading Room",
        &html! {
            p.kicker { "Open to all" }
            @match user {
                Some(user) => {
                    h1 { "Hello, " (name(user)) "." }
                    div.action { a.button href="/account" { "Your account" } (sign_out()) }
                }
                None => {
                    h1 { "The Reading Room" }
                    div.action {
                        a.button href="/clef/login?next=/account" { "Log in with GitHub" }
                    }
                }
            }
        },
    )
}

/// The page for logged-in users only.
pub fn account(user: &Account, login: &Login) -> Html<String> {
    let profile = user.profile();
    page(
        "Your account",
        &html! {
            p.kicker { "For you alone" }
            h1 { "Your account" }
            dl {
                dt { "Name" } dd { (name(user)) }
                dt { "E-mail" } dd { (profile.email.as_deref().unwrap_or("–")) }
                dt { "GitHub" } dd { (profile.claims()["login"].as_str().unwrap_or("–")) }
                dt { "Id there" } dd { (profile.subject.id()) }
                dt { "This login" } dd { (login.id()) }
            }
            div.action {
                a.button href="/" { "Front page" }
                (sign_out())
                form method="post" action="/account/log-out-everywhere" {
                    button.quiet type="submit" { "Log out everywhere" }
                }
            }
            div.hint {
                p {
                    "Log in here in another browser too, and press " strong { "Log out everywhere" }
                    ": both are logged out, at once. You stay logged in at GitHub, which sends nothing "
                    "when you log out there. It does when you revoke this app."
                }
            }
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

fn name(user: &Account) -> String {
    user.profile().name().unwrap_or_default()
}

pub(crate) fn page(title: &str, content: &Markup) -> Html<String> {
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
