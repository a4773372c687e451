//! Distinguishes page navigation from scripted requests.

use axum::http::{HeaderMap, Method, header};

/// Whether a browser asks for a page. A script that fetches data says `*/*` or JSON.
pub(crate) fn navigates(method: &Method, headers: &HeaderMap) -> bool {
    let asks = method == Method::GET || method == Method::HEAD;
    asks && headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(accepts_html)
}

/// Whether one range of `Accept` is HTML, and not by a weight of zero (RFC 9110, section
/// 12.4.2) excluded.
fn accepts_html(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let is_html = ["text/html", "application/xhtml+xml"]
        .iter()
        .any(|html| media_type.eq_ignore_ascii_case(html));
    is_html
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
