//! The ready routes: start, callback, logout notice, sign-out, and what tells open pages that
//! their login has ended; and the button that starts a login from a page.

mod admission;
mod admission_limits;
mod attempt;
mod burnt;
mod button;
mod callback;
mod client_address;
mod failure;
mod live;
mod live_person;
mod live_script;
mod logout;
mod notice_admission;
mod notices;
mod page;
mod paths;
mod return_path;
mod sign_out;
mod signed_out;
mod start;

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cookie::Cookie;
use tower_sessions::Session;
use url::{Url, form_urlencoded};

pub(crate) use self::{
    admission::Admission, attempt::Attempts, client_address::ClientAddress, failure::RenderFailure,
    notice_admission::NoticeAdmission, notices::Notices, signed_out::SignOuts,
};
use self::{admission::AdmissionPermit, client_address::Client, return_path::ReturnPath};
pub use self::{
    admission_limits::AdmissionLimits,
    button::ClefButton,
    failure::{LoginFailure, LoginFailureKind},
    paths::{Paths, PathsError},
};
use crate::{
    cookies::Cookies,
    extract::{Gate, Visit},
    log_limit::LogLimit,
    provider::Provider,
    site::Site,
};

/// The most that a logout notice may be, in bytes. Clef's are 48, a logout token of OpenID
/// Connect takes a few thousand.
const LONGEST_NOTICE: usize = 16 * 1024;

/// How long a provider may take for anything. Clef's own limit is shorter.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(15);

/// A provider of the site, and where its routes lie.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) paths: Paths,
}

/// What the routes need, the same for every request.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) site: Site,
    pub(crate) gate: Arc<Gate>,
    /// The first is the one that people are sent to who must log in.
    pub(crate) entrances: Vec<Entrance>,
    pub(crate) attempts: Attempts,
    pub(crate) sign_outs: SignOuts,
    pub(crate) notices: Notices,
    pub(crate) notice_admission: NoticeAdmission,
    /// Admits the exchange of a code.
    pub(crate) exchange_admission: Admission,
    /// Admits the question to which URL of a provider a browser is redirected. Most providers
    /// answer it without a call.
    pub(crate) redirect_admission: Admission,
    pub(crate) client_address: ClientAddress,
    /// Limits the log of what any client can cause.
    pub(crate) log_limit: Arc<LogLimit<ClientEvent>>,
    /// The domain of the cookie with the login's key; `None` for this host alone.
    pub(crate) key_cookie_domain: Option<String>,
    pub(crate) render_failure: Option<RenderFailure>,
    /// Whether a sign-out ends all logins of the person.
    pub(crate) sign_out_everywhere: bool,
}

/// The kinds of log events that any client can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClientEvent {
    LoginFailed(LoginFailureKind),
    NoticeNotAdmitted,
    NoticeRefused { known_sender: bool },
    NoticeUnchecked { known_sender: bool },
    SignOutNotContinued,
    SignOutReturned { begun_here: bool },
}

/// What a route knows: the context, and by which entrance the request comes.
#[derive(Clone)]
struct RouteState {
    context: Arc<Context>,
    entrance: Entrance,
}

impl Context {
    /// The context of a request.
    pub(crate) fn of(visit: &Visit) -> Option<Arc<Self>> {
        Arc::clone(&visit.context).downcast().ok()
    }

    /// A request, on its way in.
    pub(crate) fn visit(self: &Arc<Self>) -> Visit {
        Visit::new(Arc::clone(&self.gate), Arc::<Self>::clone(self))
    }

    /// What tells the logins by an entrance from all others: the URL of its callback, at this
    /// site or at any host of the shared domain.
    pub(crate) fn realm(&self, paths: &Paths) -> String {
        match &self.key_cookie_domain {
            Some(domain) => format!("{domain}{}", paths.callback()),
            None => self.site.url(paths.callback()).into(),
        }
    }

    /// Whether a login that leads there would lead into a circle or a dead end: to one of the
    /// routes, but for that which is there to be led to.
    fn leads_nowhere(&self, path: &str) -> bool {
        let mut entrances = self.entrances.iter();
        entrances
            .any(|entrance| entrance.paths.contains(path) && path != entrance.paths.live_back())
    }

    async fn admit_exchange(&self, parts: &Parts) -> Option<AdmissionPermit> {
        let client = Client::of(self.client_address.of(parts));
        self.exchange_admission.admit(client).await
    }

    async fn admit_redirect(&self, parts: &Parts) -> Option<AdmissionPermit> {
        let client = Client::of(self.client_address.of(parts));
        self.redirect_admission.admit(client).await
    }

    /// The application's page to log in on, if it has one.
    fn login_page(&self) -> Option<&str> {
        let path = &*self.gate.login_path;
        let mut entrances = self.entrances.iter();
        let is_route = entrances.any(|entrance| entrance.paths.contains(path));
        (!is_route).then_some(path)
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

impl RouteState {
    fn callback_url(&self) -> Url {
        self.context.site.url(self.entrance.paths.callback())
    }

    fn logout_url(&self) -> Url {
        self.context.site.url(self.entrance.paths.logout())
    }
}

impl Entrance {
    /// The start route, with the way back to `next`.
    fn start_for(&self, next: &ReturnPath) -> String {
        way_to(self.paths.start(), next)
    }
}

/// A path at which to log in, with the way back to `next`.
fn way_to(path: &str, next: &ReturnPath) -> String {
    if *next == ReturnPath::front() {
        return path.to_owned();
    }
    let next: String = form_urlencoded::byte_serialize(next.as_str().as_bytes()).collect();
    format!("{path}?next={next}")
}

/// The routes of every entrance, for a router of any state.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(context: &Arc<Context>) -> Router<S> {
    let routers = context.entrances.iter().map(|entrance| {
        let notice = post(logout::logout).layer(DefaultBodyLimit::max(LONGEST_NOTICE));
        let paths = &entrance.paths;
        Router::new()
            .route(paths.start(), get(start::start).head(only_get))
            .route(paths.callback(), get(callback::callback).head(only_get))
            .route(paths.logout(), notice)
            .route(paths.sign_out(), post(sign_out::sign_out))
            .route(paths.signed_out(), get(signed_out::signed_out))
            .route(paths.live(), get(live::live).head(only_get))
            .layer(map_response(async |response| for_once(response)))
            .with_state(RouteState {
                context: Arc::clone(context),
                entrance: entrance.clone(),
            })
            .merge(live_script::router(context, entrance))
    });
    routers.fold(Router::new(), Router::merge)
}

/// These routes begin and end logins, or go on for long: nothing for whoever only looks whether
/// they are there.
async fn only_get() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")])
}

/// Session and cookies of a request; `None` outside of the layer.
fn session_and_cookies(parts: &Parts) -> Option<(&Session, &Cookies)> {
    let visit = parts.extensions.get::<Arc<Visit>>()?;
    let session = parts.extensions.get::<Session>()?;
    Some((session, visit.cookies(&parts.headers)))
}

/// Marks an answer as one moment's, with nothing in its address to pass on: whatever the
/// routes answer, a 405 too.
fn for_once(mut response: Response) -> Response {
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
            .field("gate", &self.gate)
            .field("entrances", &self.entrances)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entrance")
            .field("provider", &self.provider.name())
            .field("paths", &self.paths)
            .finish()
    }
}
