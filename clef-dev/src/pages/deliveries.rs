//! What sites were told, and what came back.

use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::page;
use crate::{
    Delivery, Person,
    delivery::{milliseconds, moment},
};

/// What came of a log-out.
pub(crate) fn logged_out(person: &Person, rows: &[Delivery]) -> Response {
    let failed = rows.iter().filter(|row| !row.succeeded()).count();
    let again = rows.iter().any(|row| !row.succeeded() && row.url.is_some());
    let will_retry = rows.iter().any(|row| row.will_retry);
    let title = if rows.is_empty() {
        format!("{} was not logged in anywhere", person.first_name())
    } else if failed == 0 {
        format!("{} is logged out", person.first_name())
    } else {
        format!("{} is not logged out everywhere", person.first_name())
    };
    let content = html! {
        h1 { (title) }
        p.lead {
            @match (rows.len(), failed) {
                (0, _) => "As far as this Clef knows: it remembers nothing from before it was started.",
                (1, 0) => "The site was told.",
                (2, 0) => "Both sites were told.",
                (all, 0) => { "All " (all) " sites were told." }
                (1, _) => "The site could not be told.",
                (all, failed) => { (failed) " of " (all) " sites could not be told." }
            }
            @if will_retry { " Clef goes on trying for a while." }
        }
        @if !rows.is_empty() { (attempts(&rows.iter().collect::<Vec<_>>())) }
        @if again {
            form method="post" action=(format!("/phone/{}/log-out", person.id())) {
                button.action { "Tell them again" }
            }
        }
        (back(person))
    };
    page(&title, None, &content).into_response()
}

/// The whole log of a person, the newest first.
pub(crate) fn log(person: &Person, log: &[Delivery]) -> Response {
    let title = format!("What the sites were told of {}", person.first_name());
    let content = html! {
        h1 { (title) }
        p.lead {
            "Every call to a logout webhook. Scripts get the same as JSON at this address."
        }
        @if log.is_empty() {
            p { "Nothing yet. After a log-out it stands here." }
        } @else {
            (attempts(&log.iter().rev().collect::<Vec<_>>()))
        }
        (back(person))
    };
    page(&title, None, &content).into_response()
}

fn back(person: &Person) -> Markup {
    html! {
        p.hint {
            a href=(format!("/phone/{}", person.id())) {
                "Back to " (person.first_name()) "’s phone"
            }
        }
    }
}

/// Attempts as a table.
pub(super) fn attempts(rows: &[&Delivery]) -> Markup {
    html! {
        div.sheet {
            table {
                thead {
                    tr {
                        th scope="col" { "Site" }
                        th scope="col" { "Result" }
                        th.number scope="col" { "Status" }
                        th.number scope="col" { "Time" }
                    }
                }
                tbody { @for row in rows { (attempt(row)) } }
            }
        }
    }
}

fn attempt(row: &Delivery) -> Markup {
    html! {
        tr {
            th scope="row" {
                span.site { (row.site) }
                @if let Some(url) = &row.url { " " span.url { "POST " (url) } }
                " "
                span.url {
                    time datetime=(moment(row.sent_at)) { (clock(row)) }
                    @if row.attempt > 1 { ", attempt " (row.attempt) }
                }
            }
            td {
                @match &row.error {
                    None => span.good { "Logged out" },
                    Some(error) => span.warning { (error) },
                }
                @if row.will_retry { " " span.url { "If nothing comes between, it is told once more." } }
                @if let Some(answer) = row.answer.as_ref().filter(|answer| !answer.is_empty()) {
                    " " code.url { (answer) }
                }
            }
            td.number.none[row.status.is_none()] { (dash(row.status)) }
            td.number.none[row.url.is_none()] {
                @if row.url.is_some() { (milliseconds(row.took)) " ms" } @else { "–" }
            }
        }
    }
}

/// The time of day of an attempt.
fn clock(row: &Delivery) -> String {
    let moment = moment(row.sent_at);
    let time = moment.split_once('T').map_or("", |(_, time)| time);
    format!("{} UTC", time.trim_end_matches('Z'))
}

fn dash(status: Option<u16>) -> String {
    status.map_or_else(|| "–".to_owned(), |status| status.to_string())
}
