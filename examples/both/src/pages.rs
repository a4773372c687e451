//! The pages of the site. maud escapes whatever a visitor has typed.

use axum::response::Html;
use axum_clef::Subject;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::Member;

const STYLE: &str = include_str!("../../quickstart/src/style.css");

pub fn home(member: Option<&Member>) -> Html<String> {
    page(
        "Two doors",
        &html! {
            @if let Some(member) = member {
                h1 { "Hello, " (member.name()) "." }
                a.button href="/account" { "Your account" }
                (sign_out())
            } @else {
                h1 { "Two doors" }
                p.lead { "One account, by a password and by OpenID." }
                a.button href="/log-in?next=/account" { "Log in" }
                h2 { "Sign up" }
                (credentials("/sign-up", "new-password", "Sign up"))
            }
        },
    )
}

/// `query` goes on to the provider as it is.
pub fn log_in(query: &str) -> Html<String> {
    let provider = format!("/clef/login?{query}");
    page(
        "Log in",
        &html! {
            h1 { "Log in" }
            @if query.contains("max_age=") {
                p.lead { "Please log in again to continue." }
            }
            @if query.contains("failed=true") {
                p role="alert" { strong { "The name or the password is wrong." } }
            }
            // Without an action: it posts to this page with its query.
            (credentials("", "current-password", "Log in"))
            p { a href=(provider) { "Log in with the provider of this machine" } }
        },
    )
}

pub fn account(member: &Member, identities: &[Subject]) -> Html<String> {
    page(
        "Your account",
        &html! {
            h1 { "Your account" }
            p { "You are " (member.name()) "." }
            @for identity in identities {
                form.note method="post" action="/account/unlink" {
                    p { (identity.id()) " at " (identity.issuer()) }
                    input type="hidden" name="issuer" value=(identity.issuer());
                    input type="hidden" name="subject" value=(identity.id());
                    button type="submit" { "Unlink, and log out everywhere" }
                }
            }
            form.note method="post" action="/clef/login" {
                input type="hidden" name="link" value="true";
                input type="hidden" name="next" value="/account";
                button type="submit" { "Link an identity" }
            }
            @if !member.has_password() {
                p.hint { "You have no password: you log in at the provider." }
            }
            (sign_out())
        },
    )
}

/// A page with one sentence.
pub fn says(sentence: &str) -> Html<String> {
    page(
        "Two doors",
        &html! { p.lead { (sentence) } a href="/" { "Front page" } },
    )
}

fn credentials(action: &str, autocomplete: &str, label: &str) -> Markup {
    let action = (!action.is_empty()).then_some(action);
    html! {
        form.note method="post" action=[action] {
            label for="name" { "Name" }
            input id="name" name="name" autocomplete="username" required;
            label for="password" { "Password" }
            input id="password" name="password" type="password" autocomplete=(autocomplete) required;
            button type="submit" { (label) }
        }
    }
}

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
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
    };
    Html(page.into_string())
}
