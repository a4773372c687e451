//! The pages of this crate.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");

/// Isolates a page from its opener, so that another site cannot navigate it after the login.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The content security policy of a page with an inline style only.
pub(crate) const NO_SCRIPT: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
/// The same, with scripts of the site.
#[cfg(feature = "live")]
pub(crate) const OWN_SCRIPT: &str = "default-src 'none'; script-src 'self'; \
     style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// A page with a headline.
pub(crate) fn page(
    headline: &str,
    head: &Markup,
    content: &Markup,
    policy: &'static str,
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (headline) }
                style { (PreEscaped(STYLE)) }
                (head)
            }
            body {
                main {
                    h1 { (headline) }
                    (content)
                }
            }
        }
    };
    (
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (OPENER_POLICY, "same-origin"),
        ],
        page.into_string(),
    )
        .into_response()
}

/// A page that redirects by itself, with a link. After a form of a page whose policy has
/// `form-action 'self'`, browsers follow no redirect response to another origin.
pub(crate) fn redirect_page(headline: &str, url: &str) -> Response {
    let head = html! { meta http-equiv="refresh" content={ "0; url=" (url) }; };
    let content = html! { a href=(url) { "Continue" } };
    page(headline, &head, &content, NO_SCRIPT)
}
