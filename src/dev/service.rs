use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router, extract::DefaultBodyLimit, middleware::map_response, response::Response, routing::get,
};
use http::{HeaderValue, StatusCode, header};

use super::{api, logins::Logins, phone, webhook::Webhooks};

/// The most that a request may carry, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// The script of the login button.
const BUTTON: &str = include_str!("clef.js");

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Service {
    logins: Arc<Mutex<Logins>>,
    webhooks: Webhooks,
}

impl Service {
    pub(super) fn new() -> reqwest::Result<Self> {
        Ok(Self {
            logins: Arc::new(Mutex::new(Logins::new())),
            webhooks: Webhooks::new()?,
        })
    }

    /// The state, for one step. Never held across an `await`.
    pub(super) fn logins(&self) -> MutexGuard<'_, Logins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    /// Everything that the service answers.
    pub(super) fn router(self) -> Router {
        Router::new()
            .merge(api::routes())
            .merge(phone::routes())
            .route("/v3/clef.js", get(button))
            .route("/favicon.ico", get(StatusCode::NO_CONTENT))
            .fallback((StatusCode::NOT_FOUND, "There is nothing here.\n"))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .layer(map_response(guard))
            .with_state(self)
    }
}

async fn button() -> ([(header::HeaderName, &'static str); 1], &'static str) {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        BUTTON,
    )
}

/// The headers that every answer carries.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        // No form-action: Chromium would hold the redirect back to the site against it.
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
