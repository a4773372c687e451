//! The pages of the site and of the directory. maud escapes whatever they show.

use axum::response::Html;
use axum_clef::{EndedLogin, stores::Account};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::directory::PEOPLE;

const STYLE: &str = include_str!("../../quickstart/src/style.css");

/// `ended` says why the visitor is not logged in any more.
pub fn home(user: Option<&Account>, ended: Option<&EndedLogin>, directory: &str) -> Html<String> {
    page(
        "A site of staff",
        &html! {
            @if let Some(user) = user {
                h1 { "Hello, " (user.profile().subject.id()) "." }
                p { "Now revoke your sessions in the " a href=(directory) { "directory" } ", and reload this page." }
                form method="post" action="/auth/sign-out" { button { "Sign out" } }
            } @else {
                h1 { "A site of staff" }
                @if let Some(ended) = ended {
                    p.lead { (ended) }
                } @else {
                    p.lead { "You are not logged in." }
                }
                a.button href="/log-in" { "Log in" }
            }
        },
    )
}

pub fn log_in(problem: Option<&str>) -> Html<String> {
    page(
        "Log in",
        &html! {
            h1 { "Who are you?" }
            @if let Some(problem) = problem {
                p role="alert" { strong { (problem) } }
            }
            @for person in PEOPLE {
                form method="post" {
                    button name="person" value=(person) { (person) }
                }
            }
        },
    )
}

/// `deliveries` are the latest events, the latest first, and how the site has answered.
pub fn directory(deliveries: &[String]) -> Html<String> {
    page(
        "Directory",
        &html! {
            h1 { "Directory" }
            p.lead { "You are its administrator." }
            @for person in PEOPLE {
                form method="post" action="/events" {
                    input type="hidden" name="person" value=(person);
                    p { (person) }
                    div.action {
                        button name="event" value="session-revoked" { "Revoke all sessions" }
                        button name="event" value="account-disabled" { "Disable the account" }
                        button name="event" value="account-enabled" { "Enable the account" }
                    }
                }
            }
            h2 { "Sent" }
            @for delivery in deliveries {
                p { (delivery) }
            }
        },
    )
}

fn page(title: &str, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    Html(page.into_string())
}
