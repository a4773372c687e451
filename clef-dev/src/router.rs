use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn_with_state, map_response},
    response::Response,
    routing::get,
};
use http::{HeaderValue, StatusCode, header};

use super::{api, host::refuse_other_hosts, login_page, phone, service::Service};

/// The most that a request may carry, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// Everything that the service answers.
pub(super) fn router(service: Service) -> Router {
    Router::new()
        .merge(api::routes(&service))
        .merge(login_page::routes())
        .merge(phone::routes())
        .route("/v3/clef.js", script(include_str!("scripts/clef.js")))
        .route("/wave.js", script(include_str!("scripts/wave.js")))
        .route("/phone.js", script(include_str!("scripts/phone.js")))
        .route("/favicon.ico", get(StatusCode::NO_CONTENT))
        .fallback((StatusCode::NOT_FOUND, "There is nothing here.\n"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(service.clone(), refuse_other_hosts))
        .layer(map_response(guard))
        .with_state(service)
}

fn script(text: &'static str) -> axum::routing::MethodRouter<Service> {
    get((
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        text,
    ))
}

/// The headers that every answer carries.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    // The pages that sites embed have a policy of their own.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(concat!(
            // No form-action: Chromium would hold the redirect back to the site against it.
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; ",
            "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
        )));
    headers.insert(
        header::REFERRER_POLICY,
        // To other sites nothing; to these pages the origin, by which their own posts are known.
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
