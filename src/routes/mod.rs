//! The ready routes: start, callback, logout notice, sign-out; and the button that starts
//! a login from a page.

mod attempt;
mod burnt;
mod button;
mod callback;
mod failure;
mod logout;
mod notices;
mod page;
mod paths;
mod return_path;
mod sign_out;
mod start;

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Extensions, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_cookies::{Cookie, Cookies};
use tower_sessions::Session;
use url::Url;

pub(crate) use self::{attempt::Attempts, failure::RenderFailure, notices::Notices};
pub use self::{
    button::ClefButton,
    failure::{LoginFailure, LoginFailureKind},
    paths::{Paths, PathsError},
};
use crate::{extract::Gate, provider::Provider, site::Site};

/// The most that a logout notice may be, in bytes. Clef's are 48, a logout token of OpenID
/// Connect takes a few thousand.
const LONGEST_NOTICE: usize = 16 * 1024;

/// How long a provider may take for anything. Clef's own limit is shorter.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(15);

/// What the routes need, the same for every request.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) site: Site,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) paths: Paths,
    pub(crate) attempts: Attempts,
    pub(crate) notices: Notices,
    /// The domain of the cookie with the login's key; `None` for this host alone.
    pub(crate) key_cookie_domain: Option<String>,
    pub(crate) render_failure: Option<RenderFailure>,
}

impl Context {
    fn callback_url(&self) -> Url {
        self.site.url(self.paths.callback())
    }

    fn logout_url(&self) -> Url {
        self.site.url(self.paths.logout())
    }

    /// The cookie with the key of a login; without a value and a lifetime it takes the key away.
    fn key_cookie(&self, value: String, lifetime: Duration) -> Cookie<'static> {
        let mut cookie = self
            .site
            .cookie(self.gate.key_cookie.clone(), value, lifetime);
        if let Some(domain) = &self.key_cookie_domain {
            cookie.set_domain(domain.clone());
        }
        cookie
    }
}

/// The routes of a context, for a router of any state.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(context: Arc<Context>) -> Router<S> {
    let paths = context.paths.clone();
    let notice = post(logout::logout).layer(DefaultBodyLimit::max(LONGEST_NOTICE));
    Router::new()
        .route(paths.start(), get(start::start).head(only_get))
        .route(paths.callback(), get(callback::callback).head(only_get))
        .route(paths.logout(), notice)
        .route(paths.sign_out(), post(sign_out::sign_out))
        .layer(map_response(for_once))
        .with_state(context)
}

/// These routes begin and end logins: nothing for whoever only looks whether they are there.
async fn only_get() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")])
}

/// Session and cookies of a request; `None` outside of the layer.
fn session_and_cookies(extensions: &Extensions) -> Option<(Session, Cookies)> {
    Some((
        extensions.get::<Session>()?.clone(),
        extensions.get::<Cookies>()?.clone(),
    ))
}

/// Marks an answer as one moment's, with nothing in its address to pass on: whatever the
/// routes answer, a 405 too.
async fn for_once(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("site", &self.site)
            .field("paths", &self.paths)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}
