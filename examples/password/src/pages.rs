//! The pages of the site, in the dress of the quickstart, and the policy that they are under. maud
//! escapes whatever a visitor has typed.

use std::time::SystemTime;

use axum::{
    http::{HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::{Html, Response},
};
use axum_clef::{Login, url::form_urlencoded};
use maud::{DOCTYPE, Markup, html};
use time::OffsetDateTime;

use crate::{Member, passwords::SHORTEST, store::NAME_RULE};

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

/// The front page.
pub fn home(member: Option<&Member>) -> Html<String> {
    page(
        "The Reading Room",
        &html! {
            @if let Some(member) = member {
                p.kicker { "Welcome back" }
                h1 { "Hello, " (member.name()) "." }
                div.action {
                    a.button href="/account" { "Your account" }
                    (sign_out())
                }
            } @else {
                p.kicker { "Open to all" }
                h1 { "The Reading Room" }
                p.lead {
                    "A small site with one quiet promise: change your password or log out "
                    "everywhere, and every other login of yours is over, at once."
                }
                div.action {
                    a.button href="/log-in?next=/account" { "Log in" }
                    a href="/sign-up?next=/account" { "Sign up" }
                }
            }
        },
    )
}

/// The login form. What it says after wrong credentials is the same for a wrong name. `lead` is why
/// the member has to log in again.
pub fn log_in(next: Option<&str>, lead: Option<&str>, failed: bool) -> Html<String> {
    let fault = failed.then_some("The name or the password is wrong.");
    page(
        "Log in",
        &html! {
            h1 { "Log in" }
            @if let Some(lead) = lead { p.lead { (lead) } }
            form.note method="post" {
                (fault_line(fault))
                (name_field(""))
                (password_field("password", "Password", "current-password"))
                (remember_field())
                button type="submit" { "Log in" }
            }
            p.hint { "No account yet? " a href=(with_next("/sign-up", next)) { "Sign up" } }
        },
    )
}

/// The sign-up form.
pub fn sign_up(next: Option<&str>, name: &str, fault: Option<&str>) -> Html<String> {
    page(
        "Sign up",
        &html! {
            h1 { "Sign up" }
            form.note method="post" {
                (fault_line(fault))
                (name_field(name))
                (password_field("password", "Password", "new-password"))
                (remember_field())
                button type="submit" { "Sign up" }
            }
            p.hint {
                (NAME_RULE) " A password has " (SHORTEST) " characters or more. "
                a href=(with_next("/log-in", next)) { "Log in" } " if you have an account."
            }
        },
    )
}

/// The page for the member alone.
pub fn account(member: &Member, login: &Login, changed: bool) -> Html<String> {
    page(
        "Your account",
        &html! {
            p.kicker { "For you alone" }
            h1 { "Your account" }
            @if changed {
                p.lead role="status" { "Your password is changed. All other logins have ended." }
            }
            dl {
                dt { "Name" } dd { (member.name()) }
                dt { "Logged in" } dd { (moment(login)) }
            }
            div.action {
                a.button href="/account/password" { "Change the password" }
                form method="post" action="/account/log-out-everywhere" {
                    button.quiet type="submit" { "Log out everywhere" }
                }
                (sign_out())
            }
            p.hint { a href="/account/delete" { "Delete the account" } }
        },
    )
}

/// The form to change the password.
pub fn password(member: &Member, fault: Option<&str>) -> Html<String> {
    page(
        "Change the password",
        &html! {
            p.kicker { (member.name()) }
            h1 { "Change the password" }
            p.lead { "All logins but this one end." }
            form.note method="post" {
                (fault_line(fault))
                (password_field("current", "Current password", "current-password"))
                (password_field("new", "New password", "new-password"))
                button type="submit" { "Change the password" }
            }
            p.hint { "It has " (SHORTEST) " characters or more. " a href="/account" { "Back" } }
        },
    )
}

/// The form to delete the account.
pub fn delete(member: &Member) -> Html<String> {
    page(
        "Delete the account",
        &html! {
            p.kicker { (member.name()) }
            h1 { "Delete the account" }
            p.lead { "This cannot be undone." }
            form.note method="post" {
                button type="submit" { "Delete the account" }
            }
            p.hint { a href="/account" { "Back" } }
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

fn name_field(name: &str) -> Markup {
    html! {
        label for="name" { "Name" }
        input id="name" name="name" value=(name) autocomplete="username" autocapitalize="none"
            required;
    }
}

fn password_field(name: &str, label: &str, autocomplete: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) type="password" autocomplete=(autocomplete) required;
    }
}

fn remember_field() -> Markup {
    html! {
        label { input type="checkbox" name="remember"; " Stay logged in when the browser closes" }
    }
}

fn fault_line(fault: Option<&str>) -> Markup {
    html! { @if let Some(fault) = fault { p role="alert" { strong { (fault) } } } }
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

/// When the login began, in UTC.
fn moment(login: &Login) -> String {
    let moment = OffsetDateTime::from(SystemTime::from(login.logged_in_at()));
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
