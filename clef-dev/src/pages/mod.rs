//! The pages, and what they have in common.

pub(super) mod deliveries;
pub(super) mod front;
pub(super) mod phone;
pub(super) mod wave;

use std::time::Duration;

use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Person;

const STYLE: &str = include_str!("style.css");

/// A page that says no.
pub(super) fn refusal(status: StatusCode, title: &str, explanation: &str) -> Response {
    let content = html! {
        h1 { (title) }
        p.lead { (explanation) }
        p.hint { a href="/phone" { "To the phone" } }
    };
    (status, page(title, None, &content)).into_response()
}

/// The page for an id that nobody has.
pub(super) fn nobody() -> Response {
    refusal(
        StatusCode::NOT_FOUND,
        "Nobody here has this id.",
        "The phone shows who there is.",
    )
}

fn page(title: &str, script: Option<&str>, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Clef" }
                style { (PreEscaped(STYLE)) }
                @if let Some(script) = script { script src=(script) defer {} }
            }
            body {
                header {
                    a.brand href="/phone" { "Clef" }
                }
                main { (content) }
                footer { "Local Clef service for development. Not for production." }
            }
        }
    };
    Html(page.into_string())
}

/// A list of everybody, each a button of a form that posts `person`.
fn people<'a>(
    people: impl IntoIterator<Item = &'a Person>,
    action: &str,
    fields: &Markup,
    target: Option<&str>,
) -> Markup {
    html! {
        ul.choices {
            @for person in people {
                li {
                    form method="post" action=(action) target=[target] {
                        (fields)
                        button.choice name="person" value=(person.id()) aria-label=(person.name()) {
                            (head(person))
                        }
                    }
                }
            }
        }
    }
}

/// A person as the head of a card.
fn head(person: &Person) -> Markup {
    html! {
        span.head {
            span.avatar aria-hidden="true" {
                (initial(person.first_name())) (initial(person.last_name()))
            }
            span.who {
                span.name { (person.name()) }
                @if let Some(email) = person.email() { " " span.email { (email) } }
            }
        }
    }
}

fn initial(name: &str) -> &str {
    name.char_indices()
        .nth(1)
        .map_or(name, |(end, _)| &name[..end])
}

fn ago(passed: Duration) -> String {
    let minutes = passed.as_secs() / 60;
    match (minutes / 60, minutes) {
        (0, 0) => "just now".to_owned(),
        (0, 1) => "a minute ago".to_owned(),
        (0, minutes) => format!("{minutes} minutes ago"),
        (1, _) => "an hour ago".to_owned(),
        (hours, _) => format!("{hours} hours ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_as_people_do() {
        for (seconds, told) in [
            (0, "just now"),
            (59, "just now"),
            (60, "a minute ago"),
            (3599, "59 minutes ago"),
            (3600, "an hour ago"),
            (7200, "2 hours ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn initials_are_whole_characters() {
        assert_eq!(initial("Åsa"), "Å");
        assert_eq!(initial("A"), "A");
        assert_eq!(initial(""), "");
    }
}
