use std::time::Duration;

use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    log_out::Row,
    logins::Site,
    people::{PEOPLE, Person},
    phone::Destination,
};

const STYLE: &str = include_str!("style.css");

/// The bars of the wave.
const BARS: usize = 13;

/// The page on which you choose who you are.
pub(super) fn choose(destination: &Destination<'_>) -> Response {
    let site = destination.redirect.site();
    let content = html! {
        div.wave aria-hidden="true" {
            @for bar in 0..BARS { span style=(format!("--bar:{bar}")) {} }
        }
        h1 { "Log in to " span.site { (site) } }
        p.lead { "Who are you today?" }
        ul.choices {
            @for person in &PEOPLE {
                li {
                    form method="post" action=(format!("/phone/{}/log-in", person.id)) {
                        input type="hidden" name="app_id" value=(destination.application.id);
                        input type="hidden" name="redirect_url" value=(destination.redirect_text);
                        @if let Some(state) = destination.state {
                            input type="hidden" name="state" value=(state);
                        }
                        button.choice type="submit" { (card_head(person, false)) }
                    }
                }
            }
        }
        p.hint { "You log out again on " a href="/phone" { "the phone" } "." }
    };
    page(StatusCode::OK, &format!("Log in to {site}"), &content)
}

/// The phone of everybody.
pub(super) fn phone(people: &[(&'static Person, Vec<Site>)]) -> Response {
    let content = html! {
        h1 { "The phone" }
        p.lead { "Log out once, logged out everywhere." }
        div.phones {
            @for (person, sites) in people { (phone_card(person, sites, true)) }
        }
    };
    page(StatusCode::OK, "The phone", &content)
}

/// The phone of one person.
pub(super) fn phone_of(person: &'static Person, sites: &[Site]) -> Response {
    let content = html! {
        h1 { (person.first_name) "’s phone" }
        p.lead { "Log out once, logged out everywhere." }
        (phone_card(person, sites, false))
        p.hint { a href="/phone" { "Everybody" } }
    };
    page(
        StatusCode::OK,
        &format!("{}’s phone", person.first_name),
        &content,
    )
}

/// What came of a log-out.
pub(super) fn logged_out(person: &'static Person, rows: &[Row]) -> Response {
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    let again = rows
        .iter()
        .any(|row| row.error.is_some() && row.url.is_some());
    let title = if failed == 0 {
        format!("{} is logged out", person.first_name)
    } else {
        format!("{} is not logged out everywhere", person.first_name)
    };
    let content = html! {
        h1 { (title) }
        p.lead {
            @match (rows.len(), failed) {
                (0, _) => "There was no site to tell.",
                (1, 0) => "The one site was told.",
                (all, 0) => { "All " (all) " sites were told." }
                (1, _) => "The one site could not be told.",
                (all, failed) => { (failed) " of " (all) " sites could not be told." }
            }
        }
        @if !rows.is_empty() { (table(rows)) }
        @if again {
            form method="post" action=(format!("/phone/{}/log-out", person.id)) {
                button.action type="submit" { "Tell them again" }
            }
        }
        p.hint {
            a href=(format!("/phone/{}", person.id)) { "Back to " (person.first_name) "’s phone" }
        }
    };
    page(StatusCode::OK, &title, &content)
}

/// A page that says no.
pub(super) fn refusal(status: StatusCode, title: &str, explanation: &str) -> Response {
    let content = html! {
        h1 { (title) }
        p.lead { (explanation) }
        p.hint { a href="/phone" { "To the phone" } }
    };
    page(status, title, &content)
}

fn phone_card(person: &'static Person, sites: &[Site], link: bool) -> Markup {
    html! {
        section.phone aria-label=(format!("{} {}", person.first_name, person.last_name)) {
            (card_head(person, link))
            @if sites.is_empty() {
                p.nowhere { "Not logged in anywhere." }
            } @else {
                ul.sites { @for site in sites { li { (site_line(site)) } } }
            }
            form method="post" action=(format!("/phone/{}/log-out", person.id)) {
                button.action.quiet[sites.is_empty()] type="submit" { "Log out now" }
            }
        }
    }
}

fn card_head(person: &'static Person, link: bool) -> Markup {
    let name = html! { (person.first_name) " " (person.last_name) };
    html! {
        span.head {
            span.avatar aria-hidden="true" {
                (initial(person.first_name)) (initial(person.last_name))
            }
            span.who {
                @if link {
                    a.name href=(format!("/phone/{}", person.id)) { (name) }
                } @else {
                    span.name { (name) }
                }
                " "
                span.email { (person.email) }
            }
        }
    }
}

fn site_line(site: &Site) -> Markup {
    html! {
        span.site { (site.name) }
        " "
        span.since { "entered " (ago(site.entered)) }
        @if !site.has_hook {
            " "
            span.warning { "gave no logout hook: it will not hear of a log-out" }
        }
    }
}

fn table(rows: &[Row]) -> Markup {
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
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" {
                                span.site { (row.site) }
                                @if let Some(url) = &row.url { " " span.url { (url) } }
                            }
                            td {
                                @match &row.error {
                                    None => span.good { "Logged out" },
                                    Some(error) => span.warning { (error) },
                                }
                            }
                            td.number.none[row.status.is_none()] { (dash(row.status)) }
                            td.number.none[row.url.is_none()] {
                                @if row.url.is_some() { (row.milliseconds) " ms" }
                                @else { "–" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Clef" }
                style { (PreEscaped(STYLE)) }
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
    (status, Html(page.into_string())).into_response()
}

fn initial(name: &str) -> &str {
    name.char_indices()
        .nth(1)
        .map_or(name, |(end, _)| &name[..end])
}

fn dash(status: Option<u16>) -> String {
    status.map_or_else(|| "–".to_owned(), |status| status.to_string())
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
