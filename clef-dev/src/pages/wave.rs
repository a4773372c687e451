//! The pages on which a browser waits for the phone, or does without it.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};
use url::Url;

use super::{head, page, people};
use crate::{Person, destination::Destination, fields::Fields, loopback::is_loopback};

/// The bars of the wave.
const BARS: usize = 13;

/// Links and forms that end at the site take the whole tab along, also out of its page.
const TOP: &str = "_top";

/// Where a login page is shown: in a tab, inside the page of the site, or in a window that the
/// page of the site opened. The button's script says which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Display {
    Page,
    Embed,
    Popup,
}

impl Display {
    pub(crate) fn read(fields: &Fields) -> Self {
        match fields.get("display") {
            Some("embed") => Self::Embed,
            Some("popup") => Self::Popup,
            _ => Self::Page,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Embed => "embed",
            Self::Popup => "popup",
        }
    }

    fn field(self) -> Markup {
        html! { input type="hidden" name="display" value=(self.as_str()); }
    }

    /// The login page again.
    fn again(self, destination: &Destination) -> String {
        let query = destination.query();
        match self {
            Self::Page => format!("/iframes/qr?{query}"),
            Self::Embed | Self::Popup => {
                format!("/iframes/qr?{query}&display={}", self.as_str())
            }
        }
    }
}

/// A login that waits.
pub(crate) struct Wave<'a> {
    pub(crate) key: &'a str,
    /// The address of the phone page, for the phone.
    pub(crate) phone: Url,
    pub(crate) destination: &'a Destination,
    pub(crate) people: &'a [Arc<Person>],
    pub(crate) display: Display,
}

/// The moving wave, and the code for the phone.
pub(crate) fn wave(wave: &Wave<'_>) -> Response {
    let Wave {
        key,
        destination,
        display,
        ..
    } = *wave;
    let site = destination.redirect.site();
    let content = html! {
        div.login.embedded[display == Display::Embed] id="login"
            data-events=(format!("/iframes/qr/{key}/events"))
            data-finish=(format!("/iframes/qr/{key}/finish"))
            data-origin=(destination.redirect.origin())
            data-display=(display.as_str()) {
            div.wave aria-hidden="true" {
                @for bar in 0..BARS { span style=(format!("--bar:{bar}")) {} }
            }
            h1 { "Log in to " span.site { (site) } }
            div id="scan" {
                p.lead { "Open the phone in a second window, and approve there." }
                p { a.action id="open-phone" href=(wave.phone) target="_blank" { "Open the phone" } }
            }
            p.status id="status" role="status" aria-live="polite" tabindex="-1" {
                "Waiting for the phone."
            }
            noscript {
                p.hint {
                    "Without scripts this page does not notice the phone. Say who you are below."
                }
            }
            (endings(key, destination, display))
            @if let Some(code) = code(&wave.phone) {
                figure id="code" {
                    (code)
                    figcaption { (caption(&wave.phone)) }
                }
            }
            details id="no-phone" {
                summary { "Without a phone" }
                p { "Say who you are, and be logged in at once." }
                (people(
                    wave.people.iter().map(Arc::as_ref),
                    &format!("/iframes/qr/{key}/approve"),
                    &display.field(),
                    Some(TOP),
                ))
            }
        }
    };
    framed(
        &format!("Log in to {site}"),
        Some("/wave.js"),
        &content,
        destination,
    )
}

/// The ways on when the phone has answered; the script shows the one that fits.
fn endings(key: &str, destination: &Destination, display: Display) -> Markup {
    let site = destination.redirect.site();
    let again = display.again(destination);
    html! {
        p id="approved" hidden {
            a.action href=(format!("/iframes/qr/{key}/finish")) target=(TOP) {
                "Go on to " (site)
            }
        }
        p.ways id="refused" hidden {
            a.action href=(again) { "Try again" }
            a.action.quiet href=(destination.refused()) target=(TOP) {
                "Back to " (site)
            }
        }
        p id="over" hidden { a.action href=(again) { "Begin anew" } }
    }
}

/// What the code is good for: nobody shall wait for a phone that cannot reach this machine.
fn caption(phone: &Url) -> &'static str {
    if phone.host().is_some_and(|host| is_loopback(&host)) {
        "The code leads to the same page. It is an address of this machine, so a phone in your \
         hand does not get there."
    } else {
        "Or scan the code with a phone in this network."
    }
}

/// The page for a browser whose person is known.
pub(crate) fn one_click(
    key: &str,
    destination: &Destination,
    person: &Person,
    display: Display,
) -> Response {
    let site = destination.redirect.site();
    let content = html! {
        div.login.embedded[display == Display::Embed] id="login"
            data-events=(format!("/iframes/qr/{key}/events"))
            data-finish=(format!("/iframes/qr/{key}/finish"))
            data-origin=(destination.redirect.origin())
            data-display=(display.as_str()) {
            div.card id="scan" {
                h1 { "Continue to " span.site { (site) } }
                p { "You are already logged in with Clef." }
                (head(person))
                form method="post" action=(format!("/iframes/qr/{key}/approve"))
                    target=(TOP) {
                    (display.field())
                    button.action { "Continue" }
                }
                p.other {
                    a href=(format!("{}&anew", display.again(destination))) { "Somebody else" }
                }
            }
            p.status id="status" role="status" aria-live="polite" tabindex="-1" {}
            (endings(key, destination, display))
        }
    };
    framed(
        &format!("Continue to {site}"),
        Some("/wave.js"),
        &content,
        destination,
    )
}

/// The login page on a phone that does not know yet whose it is.
pub(crate) fn choose_in_place(destination: &Destination, all: &[Arc<Person>]) -> Response {
    let site = destination.redirect.site();
    let action = format!("/iframes/login?{}", destination.query());
    let content = html! {
        h1 { "Log in to " span.site { (site) } }
        p.lead { "Whose phone is this? It will remember." }
        (people(all.iter().map(Arc::as_ref), &action, &html! {}, None))
    };
    framed(&format!("Log in to {site}"), None, &content, destination)
}

/// The login page on a phone.
pub(crate) fn approve_in_place(key: &str, destination: &Destination, person: &Person) -> Response {
    let site = destination.redirect.site();
    let button = |action: &str, class: &str, name: &str| {
        html! {
            form method="post" action=(format!("/iframes/qr/{key}/{action}")) {
                input type="hidden" name="person" value=(person.id());
                button class=(class) { (name) }
            }
        }
    };
    let content = html! {
        div.card {
            h1 { "Log in to " span.site { (site) } "?" }
            (head(person))
            div.answers {
                (button("approve", "action", "Approve"))
                (button("refuse", "action quiet", "Refuse"))
            }
            p.other {
                a href=(format!("/iframes/login?{}&anew", destination.query())) { "Somebody else" }
            }
        }
    };
    framed(&format!("Log in to {site}"), None, &content, destination)
}

/// A page that the site may embed.
fn framed(
    title: &str,
    script: Option<&str>,
    content: &Markup,
    destination: &Destination,
) -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, framing(Some(destination)))];
    (policy, page(title, script, content)).into_response()
}

/// The policy of such a page: pages of this machine may embed it, and those of the site.
pub(crate) fn framing(destination: Option<&Destination>) -> HeaderValue {
    let site = destination.map_or_else(String::new, |site| site.redirect.origin());
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; \
         base-uri 'none'; frame-ancestors http://localhost:* https://localhost:* \
         http://*.localhost:* https://*.localhost:* http://127.0.0.1:* https://127.0.0.1:* {site}"
    );
    // A policy that is no header must not become none at all.
    HeaderValue::try_from(policy.trim_end())
        .unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The address as a QR code. `None` if it is too long for one: then there is the link.
fn code(address: &Url) -> Option<Markup> {
    /// What scanners want around it, in modules.
    const MARGIN: usize = 4;

    let code = QrCode::with_error_correction_level(address.as_str(), EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (index % width + MARGIN, index / width + MARGIN);
            path += &format!("M{x} {y}h1v1h-1z");
        }
    }
    let side = width + 2 * MARGIN;
    Some(html! {
        svg id="wave-code" viewBox=(format!("0 0 {side} {side}")) role="img"
            aria-label="QR code that opens the phone with this login"
            shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    })
}
