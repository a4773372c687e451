use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, StatusCode, header};

use super::{host::base_url, pages};

/// Refuses what another site's page sends.
///
/// The sites being developed run on other ports of this host, so a browser calls them `same-site`:
/// they are strangers here all the same. Scripts send no such headers and are welcome.
pub(super) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        pages::refusal(
            StatusCode::FORBIDDEN,
            "Only from Clef's own pages.",
            "Another site's page sent this. Open the page here and press the button there.",
        )
    } else {
        next.run(request).await
    }
}

/// Refuses what another site's page fetches by itself, as an image or by a script. A person whom
/// a site sends here passes: the browser navigates, in a window or in a frame.
pub(super) async fn refuse_background_requests(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let mode = headers.get("sec-fetch-mode");
    if mode.is_some_and(|mode| mode != "navigate") && is_foreign(headers) {
        pages::refusal(
            StatusCode::FORBIDDEN,
            "Only as a page.",
            "Another site's page fetched this in the background. Open it in a window.",
        )
    } else {
        next.run(request).await
    }
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    let foreign_fetch = site.is_some_and(|site| site != "same-origin" && site != "none");
    // Browsers name the site of the page only to addresses that they trust, such as this machine.
    // To others they send the origin alone.
    let own = base_url(headers).map(|url| url.origin().ascii_serialization());
    let foreign_origin = headers.get(header::ORIGIN).is_some_and(|origin| {
        let is_own = own.as_ref().is_some_and(|own| origin == own.as_str());
        !is_own && site.is_none_or(|site| site != "same-origin")
    });
    foreign_fetch || foreign_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_and_scripts_are_welcome() {
        let foreign = |headers: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            map.insert(header::HOST, "127.0.0.1:5050".parse().unwrap());
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            is_foreign(&map)
        };
        assert!(!foreign(&[]), "a script");
        assert!(!foreign(&[("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[("sec-fetch-site", "none")]));
        assert!(!foreign(&[("origin", "http://127.0.0.1:5050")]));
        let own = [("sec-fetch-site", "same-origin"), ("origin", "null")];
        assert!(!foreign(&own), "a page without referrer");
        for site in ["same-site", "cross-site", "else"] {
            assert!(foreign(&[("sec-fetch-site", site)]), "{site}");
        }
        for origin in [
            "http://127.0.0.1:5051",
            "https://127.0.0.1:5050",
            "https://evil.example",
            "null",
        ] {
            assert!(foreign(&[("origin", origin)]), "{origin}");
        }
    }
}
