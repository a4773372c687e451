//! Telling requests of the site's own pages from those that pages of other sites make.

use http::HeaderMap;

/// Whether a browser says that the request comes from elsewhere. Whoever sends neither
/// header is no browser of these years, and sends no cookie by itself either.
pub(super) fn is_foreign(origin: &str, headers: &HeaderMap) -> bool {
    let values = |name| headers.get_all(name).iter();
    let foreign_fetch =
        values("sec-fetch-site").any(|site| site != "same-origin" && site != "none");
    // A page with `Referrer-Policy: no-referrer` has no origin to name, not even its own.
    let vouched = values("sec-fetch-site").any(|site| site == "same-origin");
    let foreign_origin =
        values("origin").any(|value| value != origin && !(vouched && value == "null"));
    foreign_fetch || foreign_origin
}
