//! Distinguishes a person who opens a page from a script, and both from a browser that loads a page
//! ahead of time.

use axum::http::{HeaderMap, HeaderName, header};

/// The headers by which browsers mark a request that the user has not made yet.
const SPECULATION: [HeaderName; 4] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
    HeaderName::from_static("x-purpose"),
    HeaderName::from_static("x-moz"),
];
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");
const USER: HeaderName = HeaderName::from_static("sec-fetch-user");
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
/// The destinations that show a page.
const PAGES: [&str; 6] = [
    "document",
    "iframe",
    "frame",
    "embed",
    "object",
    "fencedframe",
];

/// Whether a person opens a page or sends a form. A client that says nothing about itself is a
/// script if it does not accept HTML.
pub(crate) fn navigates(headers: &HeaderMap) -> bool {
    says_navigation(headers).unwrap_or_else(|| accepts(headers, &HTML))
}

/// Whether a script makes the request: it can follow no redirect to another origin. A client that
/// says nothing about itself is one only if it asks for JSON and not for HTML.
pub(crate) fn is_scripted(headers: &HeaderMap) -> bool {
    match says_navigation(headers) {
        Some(navigates) => !navigates,
        None => accepts(headers, &["application/json"]) && !accepts(headers, &HTML),
    }
}

/// Whether the browser loads a page ahead of time (prefetch, prerender, preview).
pub(crate) fn is_speculative(headers: &HeaderMap) -> bool {
    SPECULATION.iter().any(|name| {
        headers.get_all(name).iter().any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            let value = String::from_utf8_lossy(&value);
            ["prefetch", "prerender", "preview"]
                .iter()
                .any(|purpose| value.contains(purpose))
        })
    })
}

/// Whether a person caused the request by a click or a key, and not a timer or a frame of the page.
/// `true` for browsers that do not say.
pub(crate) fn is_by_person(headers: &HeaderMap) -> bool {
    text(headers, &MODE).is_none() || text(headers, &USER) == Some("?1")
}

/// What the browser itself says; `None` if it says nothing. The mode is decisive: it is `navigate`
/// also for a link that accepts anything, and `cors` also for a script that accepts HTML.
fn says_navigation(headers: &HeaderMap) -> Option<bool> {
    if let Some(mode) = text(headers, &MODE) {
        return Some(mode.eq_ignore_ascii_case("navigate"));
    }
    if let Some(destination) = text(headers, &DESTINATION) {
        return Some(
            PAGES
                .iter()
                .any(|page| destination.eq_ignore_ascii_case(page)),
        );
    }
    // Web views of Android send the name of their application here, also when they navigate.
    let requested_with = text(headers, &REQUESTED_WITH)?;
    let scripted = requested_with.eq_ignore_ascii_case("XMLHttpRequest");
    scripted.then_some(false)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

const HTML: [&str; 2] = ["text/html", "application/xhtml+xml"];

/// Whether `Accept` names one of these types.
fn accepts(headers: &HeaderMap, types: &[&str]) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| names(range, types))
}

/// Whether one range of `Accept` is one of these types, and not excluded by a weight of zero (RFC
/// 9110, section 12.4.2).
fn names(range: &str, types: &[&str]) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    types
        .iter()
        .any(|named| media_type.eq_ignore_ascii_case(named))
        && !parts.any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, weight)| {
                name.trim().eq_ignore_ascii_case("q")
                    && weight
                        .trim()
                        .parse::<f32>()
                        .is_ok_and(|weight| weight <= 0.0)
            })
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = list.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    #[test]
    fn what_the_browser_says_decides_before_what_it_accepts() {
        for (list, navigates_, scripted) in [
            (&[][..], false, false),
            (&[("accept", BROWSER)], true, false),
            (&[("accept", "*/*")], false, false),
            (&[("accept", "application/json")], false, true),
            (&[("accept", "application/json, text/html")], true, false),
            (
                &[("accept", "text/html;q=0, application/json")],
                false,
                true,
            ),
            (&[("accept", "text/html;q=0.9")], true, false),
            (&[("accept", "text/html;level=0")], true, false),
            (&[("sec-fetch-mode", "navigate")], true, false),
            (
                &[("sec-fetch-mode", "navigate"), ("accept", "*/*")],
                true,
                false,
            ),
            (
                &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "empty")],
                true,
                false,
            ),
            (
                &[("sec-fetch-mode", "cors"), ("accept", BROWSER)],
                false,
                true,
            ),
            (
                &[("sec-fetch-mode", "same-origin"), ("accept", BROWSER)],
                false,
                true,
            ),
            (
                &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
                false,
                true,
            ),
            (&[("sec-fetch-mode", "websocket")], false, true),
            (&[("sec-fetch-dest", "iframe")], true, false),
            (
                &[("sec-fetch-dest", "script"), ("accept", BROWSER)],
                false,
                true,
            ),
            (
                &[("x-requested-with", "XMLHttpRequest"), ("accept", BROWSER)],
                false,
                true,
            ),
            (
                &[("x-requested-with", "com.example.app"), ("accept", BROWSER)],
                true,
                false,
            ),
            (
                &[
                    ("x-requested-with", "XMLHttpRequest"),
                    ("sec-fetch-mode", "navigate"),
                ],
                true,
                false,
            ),
        ] {
            let headers = headers(list);
            assert_eq!(navigates(&headers), navigates_, "{list:?}");
            assert_eq!(is_scripted(&headers), scripted, "{list:?}");
        }
    }

    #[test]
    fn a_page_that_is_loaded_ahead_of_time_is_recognized() {
        for (name, value, speculative) in [
            ("sec-purpose", "prefetch", true),
            ("sec-purpose", "prefetch;prerender", true),
            ("sec-purpose", "prefetch;anonymous-client-ip", true),
            ("purpose", "prefetch", true),
            ("purpose", "Preview", true),
            ("x-purpose", "preview", true),
            ("x-moz", "prefetch", true),
            ("purpose", "", false),
            ("sec-fetch-dest", "prefetch", false),
        ] {
            let headers = headers(&[(name, value)]);
            assert_eq!(is_speculative(&headers), speculative, "{name}: {value}");
        }
        assert!(!is_speculative(&HeaderMap::new()));
    }

    #[test]
    fn a_person_clicks_and_a_timer_does_not() {
        assert!(is_by_person(&HeaderMap::new()));
        assert!(!is_by_person(&headers(&[("sec-fetch-mode", "navigate")])));
        let clicked = [("sec-fetch-mode", "navigate"), ("sec-fetch-user", "?1")];
        assert!(is_by_person(&headers(&clicked)));
    }
}
