use axum::{extract::Request, middleware::Next, response::Response};
use http::StatusCode;

use super::pages;

/// Refuses what another site's page sends.
///
/// The sites being developed run on other ports of this host, so a browser calls them `same-site`:
/// they are strangers here all the same. Scripts send no such header and are welcome.
pub(super) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    let welcome = request
        .headers()
        .get("sec-fetch-site")
        .is_none_or(|site| site == "same-origin" || site == "none");
    if welcome {
        next.run(request).await
    } else {
        pages::refusal(
            StatusCode::FORBIDDEN,
            "Only from Clef's own pages.",
            "Another site's page sent this. Open the page here and press the button there.",
        )
    }
}
