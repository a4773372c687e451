//! The pages of the site, in the dress of the quickstart, and the policy that they are under. maud
//! escapes whatever a user has typed.

use std::time::SystemTime;

use axum::{
    http::{HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::{Html, Response},
};
use axum_clef::{
    BearerToken, Timestamp, secrecy::ExposeSecret as _, stores::Account, url::form_urlencoded,
};
use maud::{DOCTYPE, Markup, html};
use time::OffsetDateTime;

use crate::{accounts::NAME_RULE, passwords::SHORTEST, tokens::ListedToken};

pub(crate) const STYLE: &str = include_str!("../../quickstart/src/style.css");

/// What the pages may do: no script, no form to another site, no frame around them.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// Puts an answer under the policy, unless it has its own.
pub(crate) async fn under_policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    response
}

/// The front page.
pub(crate) fn home(user: Option<&Account>) -> Html<String> {
    page(
        "Notes",
        &html! {
            h1 { "Notes" }
            @if let Some(user) = user {
                p.lead { "Hello, " (user.profile().first_name.as_deref().unwrap_or_default()) "." }
                div.action {
                    a.button href="/tokens" { "Your tokens" }
                    form method="post" action="/auth/sign-out" {
                        button.quiet type="submit" { "Sign out" }
                    }
                }
            } @else {
                p.lead { "Notes for your terminal. Each program has a token that you can end." }
                div.action {
                    a.button href="/log-in?next=/tokens" { "Log in" }
                    a href="/sign-up?next=/tokens" { "Sign up" }
                }
            }
        },
    )
}

/// The login form. What it says after wrong credentials is the same for a wrong name.
pub(crate) fn log_in(next: Option<&str>, failed: bool) -> Html<String> {
    let fault = failed.then_some("The name or the password is wrong.");
    page(
        "Log in",
        &html! {
            h1 { "Log in" }
            (credentials("current-password", "Log in", fault))
            p.hint { "No account yet? " a href=(with_next("/sign-up", next)) { "Sign up" } }
        },
    )
}

/// The sign-up form.
pub(crate) fn sign_up(next: Option<&str>, fault: Option<&str>) -> Html<String> {
    page(
        "Sign up",
        &html! {
            h1 { "Sign up" }
            (credentials("new-password", "Sign up", fault))
            p.hint {
                (NAME_RULE) " A password has " (SHORTEST) " characters or more. "
                a href=(with_next("/log-in", next)) { "Log in" } " if you have an account."
            }
        },
    )
}

/// The tokens of a user.
pub(crate) fn tokens(tokens: &[ListedToken]) -> Html<String> {
    page(
        "Your tokens",
        &html! {
            h1 { "Your tokens" }
            @for token in tokens {
                form method="post" action={ "/tokens/" (token.id) "/end" } {
                    p { strong { (token.name) } ", until " (moment(token.ends_at)) }
                    button.quiet type="submit" { "End" }
                }
            }
            form.note method="post" {
                label for="name" { "The program or device of a new token" }
                input id="name" name="name" maxlength="100" required;
                button type="submit" { "Make a token" }
            }
            form method="post" action="/log-out-everywhere" {
                button.quiet type="submit" { "End all, and log out everywhere" }
            }
            a href="/" { "Front page" }
        },
    )
}

/// A new token, once.
pub(crate) fn new_token(token: &BearerToken) -> Html<String> {
    page(
        "Your new token",
        &html! {
            h1 { "Your new token" }
            p.lead { "Copy it now. It is shown once, and can do what you can do here." }
            pre id="token" { (token.secret().expose_secret()) }
            p.hint { "It ends on " (moment(token.ends_at())) ". " a href="/tokens" { "Your tokens" } }
        },
    )
}

/// One sentence about what went wrong.
pub(crate) fn problem(sentence: &str) -> Html<String> {
    page(
        "Please try again",
        &html! {
            h1 { "Please try again" }
            p.lead { (sentence) }
            a href="/" { "Front page" }
        },
    )
}

fn credentials(autocomplete: &str, button: &str, fault: Option<&str>) -> Markup {
    html! {
        form.note method="post" {
            @if let Some(fault) = fault { p role="alert" { strong { (fault) } } }
            label for="name" { "Name" }
            input id="name" name="name" autocomplete="username" autocapitalize="none" required;
            label for="password" { "Password" }
            input id="password" name="password" type="password" autocomplete=(autocomplete) required;
            button type="submit" { (button) }
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

/// A date in UTC.
fn moment(at: Timestamp) -> String {
    OffsetDateTime::from(SystemTime::from(at))
        .date()
        .to_string()
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
