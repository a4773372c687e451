//! Refusing what pages of other sites send.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use crate::{
    auth::{AuthState, LAYER_MISSING, RequestAuth, problem},
    log_limit::{log_mistake, log_mistake_at},
    site::Site,
};

/// Runs the handler only if the request does not come from a page of another origin: protection
/// against cross-site request forgery (CSRF) without a token in the form.
///
/// The ready sign-out route makes the same check. Take it in each handler that changes something
/// on behalf of the logged-in user, before the extractor that reads the body:
///
/// ```
/// use axum::{Form, response::Redirect};
/// use axum_clef::{LoggedIn, SameOrigin, stores::Account};
///
/// #[derive(serde::Deserialize)]
/// struct Address {
///     street: String,
/// }
///
/// async fn move_house(
///     _: SameOrigin,
///     LoggedIn(user): LoggedIn<Account>,
///     Form(address): Form<Address>,
/// ) -> Redirect {
///     Redirect::to("/account")
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(move_house);
/// ```
///
/// Or put it around several routes:
///
/// ```
/// use axum::{Router, middleware::from_extractor, routing::post};
/// use axum_clef::SameOrigin;
///
/// let forms: Router = Router::new()
///     .route("/orders", post(|| async { "ordered" }))
///     .route("/invoices", post(|| async { "paid" }))
///     .route_layer(from_extractor::<SameOrigin>());
/// ```
///
/// # What it refuses
///
/// A request is refused if its `Sec-Fetch-Site` is neither `same-origin` nor `none`, or if its
/// `Origin` is not that of the site, as [`ClefLayer::builder`](crate::ClefLayer::builder) was given it.
/// Requests from a [trusted origin](crate::ClefLayerBuilder::trusted_origin) pass with `same-site` too.
/// `Origin: null` passes with `Sec-Fetch-Site: same-origin` alone, which a page with
/// `Referrer-Policy: no-referrer` sends. Browsers set both headers themselves; pages cannot.
///
/// `SameSite=Lax` on the login's cookie does not do this: other ports of the same host and other
/// subdomains of the same domain count as the same site, and their forms carry the cookie.
///
/// A request with neither header passes: it was made by a program and not by a browser, and
/// carries no cookie that the program was not given.
///
/// The method makes no difference. A page that others link to must not take it: following such a
/// link is a cross-site request. A WebSocket handler should take it, although its method is GET.
///
/// A request with a [bearer token](crate::guide::tokens) of this site passes: a browser adds none by
/// itself, so no page can send one that it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SameOrigin;

/// Why [`SameOrigin`] refused a request. The response is `application/problem+json`.
///
/// ```
/// use axum::response::{Html, IntoResponse, Response};
/// use axum_clef::{SameOrigin, SameOriginRejection};
///
/// async fn keep(same_origin: Result<SameOrigin, SameOriginRejection>) -> Response {
///     match same_origin {
///         Ok(_) => "kept".into_response(),
///         Err(rejection) => (rejection.status(), Html("<h1>Not from here</h1>")).into_response(),
///     }
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(keep);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SameOriginRejection {
    /// A page of another origin made the request: 403.
    #[error("A page of another site sent this. Open the page here and send it again.")]
    CrossOrigin,
    /// The route is not inside a [`ClefLayer`](crate::ClefLayer), a mistake in the program: 500.
    #[error("{}", LAYER_MISSING)]
    LayerMissing,
}

impl SameOriginRejection {
    /// The status of the response: 403 or 500.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::CrossOrigin => StatusCode::FORBIDDEN,
            Self::LayerMissing => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for SameOrigin {
    type Rejection = SameOriginRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let Some(auth) = RequestAuth::of(parts) else {
            log_mistake(LAYER_MISSING);
            return Err(SameOriginRejection::LayerMissing);
        };
        if is_forged(auth.state(), &parts.headers) {
            tracing::debug!("a request from a page of another origin is refused");
            return Err(SameOriginRejection::CrossOrigin);
        }
        Ok(Self)
    }
}

impl IntoResponse for SameOriginRejection {
    fn into_response(self) -> Response {
        let problem = problem(self.status(), &self.to_string(), None);
        ([(header::CACHE_CONTROL, "no-store")], problem).into_response()
    }
}

/// Whether a page of another origin may have made the request, with the credentials that a browser
/// adds by itself. It adds no bearer token, and a token counts before its cookies.
pub(crate) fn is_forged(state: &AuthState, headers: &HeaderMap) -> bool {
    is_cross_origin(&state.site, headers) && !state.has_token(headers)
}

/// Whether a browser says that a page of another origin makes the request, which is not trusted.
pub(crate) fn is_cross_origin(site: &Site, headers: &HeaderMap) -> bool {
    let values = |name| headers.get_all(name).iter();
    let trusted = values("origin").any(|value| site.trusts(value));
    let foreign_fetch = values("sec-fetch-site").any(|value| {
        value != "same-origin" && value != "none" && !(trusted && value == "same-site")
    });
    // A page with `Referrer-Policy: no-referrer` has no origin to name, not even its own.
    let vouched = values("sec-fetch-site").any(|value| value == "same-origin");
    let foreign_origin = values("origin").any(|value| {
        value != site.origin() && !site.trusts(value) && !(vouched && value == "null")
    });
    let is_foreign = foreign_fetch || foreign_origin;
    if is_foreign {
        log_other_name(site, headers);
    }
    is_foreign
}

/// Logs a page of this very site, opened under another name of this machine.
fn log_other_name(site: &Site, headers: &HeaderMap) {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let other = origins.find_map(|origin| site.other_name(origin.to_str().ok()?));
    if let Some(other) = other {
        log_mistake_at("a request of the site's own page is refused", &other);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn is_refused(headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let site = Site::parse("https://example.com").unwrap();
        is_cross_origin(&site, &parts.headers)
    }

    #[test]
    fn own_pages_and_programs_pass() {
        let own = ("origin", "https://example.com");
        let vouched = ("sec-fetch-site", "same-origin");
        for headers in [
            &[][..],
            &[own],
            &[vouched],
            &[own, vouched],
            &[("origin", "null"), vouched],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(!is_refused(headers), "{headers:?}");
        }
    }

    #[test]
    fn other_origins_are_refused_however_near() {
        let own = ("origin", "https://example.com");
        for origin in [
            "",
            "null",
            "http://example.com",
            "https://example.com:8443",
            "https://example.com:443",
            "https://example.com/",
            "https://EXAMPLE.com",
            "https://shop.example.com",
            "https://example.com.evil.example",
        ] {
            assert!(is_refused(&[("origin", origin)]), "{origin}");
            assert!(is_refused(&[own, ("origin", origin)]), "{origin}, twice");
        }
        for site in ["same-site", "cross-site", "", "Same-Origin"] {
            let site = ("sec-fetch-site", site);
            assert!(is_refused(&[site]), "{site:?}");
            assert!(is_refused(&[own, site]), "{site:?}");
            assert!(
                is_refused(&[("sec-fetch-site", "same-origin"), site]),
                "{site:?}"
            );
        }
        assert!(is_refused(&[
            ("origin", "null"),
            ("sec-fetch-site", "none")
        ]));
    }
}
