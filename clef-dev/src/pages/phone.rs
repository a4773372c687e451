//! The phone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::{ago, deliveries::attempts, head, page, people};
use crate::{Person, logins::Site, state::State, timers::Timer, waiting::WaitingLogin};

/// How many deliveries the phone shows; the log has them all.
const DELIVERIES: usize = 10;

/// What a phone shows.
pub(crate) struct Phone<'a> {
    pub(crate) person: &'a Person,
    pub(crate) state: &'a State,
    pub(crate) now: Instant,
    /// The login whose code was scanned: it comes first.
    pub(crate) scanned: Option<&'a str>,
}

/// A length that the phone offers for its timer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    QuarterHour,
    Hour,
    EightHours,
    Never,
}

impl Length {
    const ALL: [Self; 4] = [Self::QuarterHour, Self::Hour, Self::EightHours, Self::Never];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|length| length.as_str() == text)
    }

    pub(crate) fn duration(self) -> Option<Duration> {
        let minutes = match self {
            Self::QuarterHour => 15,
            Self::Hour => 60,
            Self::EightHours => 8 * 60,
            Self::Never => return None,
        };
        Some(Duration::from_secs(minutes * 60))
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::QuarterHour => "15m",
            Self::Hour => "1h",
            Self::EightHours => "8h",
            Self::Never => "never",
        }
    }

    /// For the eye, and for the ear if that is something else.
    fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::QuarterHour => ("15 minutes", None),
            Self::Hour => ("1 hour", None),
            Self::EightHours => ("8 hours", None),
            Self::Never => ("∞", Some("Never")),
        }
    }
}

/// The question whose phone it is.
pub(crate) fn choose(all: &[Arc<Person>], login: Option<&str>) -> Response {
    let fields = html! {
        @if let Some(login) = login { input type="hidden" name="login" value=(login); }
    };
    let content = html! {
        h1 { "Whose phone is this?" }
        p.lead { "This browser will remember. It is a phone for development: be whom you like." }
        (people(all.iter().map(Arc::as_ref), "/phone", &fields, None))
    };
    page("Whose phone is this?", None, &content).into_response()
}

/// The phone of one person. What is `data-live` is kept up to date by the script.
pub(crate) fn phone(phone: &Phone<'_>) -> Response {
    let Phone {
        person, state, now, ..
    } = *phone;
    let path = format!("/phone/{}", person.id());
    let sites = state.logins.sites(person, now);
    let timer = state.timers.of(person);
    let content = html! {
        h1 { (person.first_name()) "’s phone" }
        p.lead { "Log out once, logged out everywhere." }
        p.unseen id="news" role="status" aria-live="polite" {}
        div.phone data-events=(format!("{path}/events")) {
            div.owner {
                (head(person))
                a href="/phone?anew" { "Switch person" }
            }
            section id="waiting" data-live aria-labelledby="waiting-title" {
                (waiting(phone, &path))
            }
            section id="sites" data-live aria-labelledby="sites-title" {
                h2 id="sites-title" { "Logged in at" }
                @if sites.is_empty() {
                    p.nowhere { "Not logged in anywhere." }
                } @else {
                    ul.sites { @for site in &sites { li { (site_line(site)) } } }
                }
                form method="post" action=(format!("{path}/log-out")) {
                    button.action.quiet[sites.is_empty()] { "Log out now" }
                }
            }
            section aria-labelledby="timer-title" {
                h2 id="timer-title" { "Timer" }
                div id="timer" data-live {
                    p.left { (left(timer, now)) }
                    form.lengths method="post" action=(format!("{path}/timer")) {
                        @for length in Length::ALL {
                            @let (shown, spoken) = length.names();
                            button name="length" value=(length.as_str()) aria-label=[spoken]
                                id=(format!("timer-{}", length.as_str()))
                                aria-pressed=(timer.length == length.duration()) { (shown) }
                        }
                    }
                }
            }
        }
        details.log id="log" {
            summary { "What the sites were told" }
            div id="deliveries" data-live {
                @let log: Vec<_> = state.deliveries.of(person.id()).rev().take(DELIVERIES).collect();
                @if log.is_empty() {
                    p { "Nothing yet. After a log-out it stands here." }
                } @else {
                    (attempts(&log))
                    p { a href=(format!("{path}/deliveries")) { "The whole log" } }
                }
            }
        }
    };
    let title = format!("{}’s phone", person.first_name());
    page(&title, Some("/phone.js"), &content).into_response()
}

fn waiting(phone: &Phone<'_>, path: &str) -> Markup {
    let mut logins: Vec<_> = phone.state.waiting.shown(phone.now).collect();
    logins.sort_by_key(|(login, _)| phone.scanned != Some(&login.id));
    let gone = phone
        .scanned
        .filter(|id| logins.iter().all(|(login, _)| login.id != *id));
    let news: Vec<_> = logins
        .iter()
        .map(|(login, _)| login.destination.redirect.site())
        .collect();
    html! {
        h2 id="waiting-title" data-news=(news.join(", ")) { "Waiting for you" }
        @if gone.is_some() {
            p.warning { "The login that you opened waits no more. Begin it again at the site." }
        }
        @if logins.is_empty() {
            p.nowhere { "Nothing. When you log in at a site, it appears here." }
        }
        @for (login, since) in logins { (request(login, since, path)) }
    }
}

/// A login with its two answers.
fn request(login: &WaitingLogin, since: Duration, path: &str) -> Markup {
    let site_id = format!("site-{}", login.id);
    let answer = |action: &str, class: &str, name: &str| {
        html! {
            form method="post" action=(format!("{path}/{action}")) {
                input type="hidden" name="login" value=(login.id);
                button class=(class) id=(format!("{action}-{}", login.id))
                    aria-describedby=(site_id) { (name) }
            }
        }
    };
    html! {
        div.request {
            p id=(site_id) {
                span.site { (login.destination.redirect.site()) }
                " wants to know who you are."
                " "
                span.since { "Asked " (ago(since)) }
            }
            div.answers {
                (answer("approve", "action", "Approve"))
                (answer("refuse", "action quiet", "Refuse"))
            }
        }
    }
}

fn site_line(site: &Site) -> Markup {
    html! {
        span.site { (site.name) }
        " "
        span.since { "entered " (ago(site.entered)) }
        @if site.owed {
            " "
            span.warning { "You logged out, but this site has not heard of it yet." }
        } @else if !site.has_hook {
            " "
            span.warning { "It gave no logout hook, so it will not hear of a log-out." }
        }
    }
}

fn left(timer: Timer, now: Instant) -> Markup {
    html! {
        @if !timer.is_running() {
            "Starts when you log in, and then logs you out everywhere."
        } @else if let Some(left) = timer.left(now) {
            "Logs you out everywhere in "
            strong data-left=(left.as_secs()) { (countdown(left)) }
            "."
        } @else {
            "Never logs you out. You do, with the button above."
        }
    }
}

/// What is left, as the script counts it down.
fn countdown(left: Duration) -> String {
    let seconds = left.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_reads_like_a_clock() {
        for (seconds, told) in [(0, "0:00"), (61, "1:01"), (3600, "1:00:00")] {
            assert_eq!(countdown(Duration::from_secs(seconds)), told);
        }
    }
}
