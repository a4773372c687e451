//! Puts the parts into the request.

mod body;
mod given;
mod live;
mod prefixes;
mod saving;
mod service;
mod sessions;
mod settings;

use std::{fmt, sync::Arc, time::Duration};

use axum::{Router, routing::Route};
use tower_layer::Layer;
use tower_sessions::SessionStore;

use self::{prefixes::WithoutDisguisedCookies, saving::AnswersForTheSessions};
pub use self::{service::ClefLayerService, sessions::ClefSessions};
use crate::{
    AddressError, AdmissionLimits, Paths, PathsError, UserStore,
    extract::Gate,
    live::Live,
    pending::{self, PendingLogouts},
    provider::Provider,
    routes::{
        self, Admission, Attempts, ClientAddress, Context, Entrance, NoticeAdmission, Notices,
        SignOuts,
    },
    session::Keeper,
    site::Site,
    strangers::Strangers,
};

/// The layer around an application: it brings sessions, lets handlers ask who is there by
/// [`LoggedIn`](crate::LoggedIn), and has the [`routes`](Self::routes) for login and logout.
///
/// Sessions are kept in a cookie that scripts cannot read, `SameSite=Lax` (the callback
/// arrives from another site), `Secure` and with a `__Host-` name, unless the site is plain
/// http on this machine. They end a day after the last use; see
/// [`idle_expiry`](Self::idle_expiry).
///
/// ```
/// use axum::{Router, routing::get};
/// use axum_clef::{ClefLayer, LoggedIn, clef::Clef, stores::{Account, MemoryUserStore}};
/// use tower_sessions::MemoryStore;
///
/// async fn home(user: Option<LoggedIn<Account>>) -> String {
///     match user {
///         Some(LoggedIn(user)) => format!("Hello, {:?}!", user.profile().name()),
///         None => "Hello! Log in at /clef/login".to_owned(),
///     }
/// }
///
/// # fn main() -> Result<(), axum_clef::AddressError> {
/// let clef = Clef::new("https://clef.example.com", "app id", "app secret")?;
/// let auth = ClefLayer::new(
///     "https://example.com",
///     clef,
///     MemoryUserStore::new(),
///     MemoryStore::default(),
/// )?;
///
/// let app: Router = Router::new()
///     .route("/", get(home))
///     .merge(auth.routes())
///     .layer(auth);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClefLayer<L> {
    context: Arc<Context>,
    sessions: L,
}

impl ClefLayer<ClefSessions> {
    /// A layer for the `site` at this origin (scheme, host and port, as browsers see it),
    /// whose people log in with `provider`, are kept in `users`, and have their sessions in
    /// `sessions`.
    ///
    /// # Errors
    ///
    /// When `site` is not an origin, or is plain `http` to another machine than this one.
    pub fn new(
        site: &str,
        provider: impl Provider,
        users: impl UserStore,
        sessions: impl SessionStore,
    ) -> Result<Self, AddressError> {
        let site = Site::parse(site)?;
        let sessions = ClefSessions::new(Arc::new(Keeper::new(sessions, &site)));
        let layer = Self::build(site, provider, users, sessions.clone());
        Ok(layer.with_sessions(sessions))
    }

    /// How long a session lives after its last use; a day by default. A use is a request
    /// that asks who is there. It is noted in the store at most twenty times in that time,
    /// so a session may end by a twentieth of it early.
    #[must_use]
    pub fn idle_expiry(self, idle: Duration) -> Self {
        let keeper = self.sessions.keeper().with_idle(idle);
        self.with_sessions(ClefSessions::new(Arc::new(keeper)))
    }

    fn with_sessions(mut self, sessions: ClefSessions) -> Self {
        self.gate_mut().keeper = Some(Arc::clone(sessions.keeper()));
        self.sessions = sessions;
        self
    }
}

impl<L> ClefLayer<L> {
    /// As [`new`](ClefLayer::new), with a session layer that the application configured
    /// itself: any `SessionManagerLayer` of tower-sessions 0.14, signed or private too.
    ///
    /// Make its cookie `SameSite=Lax`: with `Strict`, the default of tower-sessions, browsers
    /// keep it back when they come from the provider, and people go round in circles. Leave it
    /// `HttpOnly`, and `Secure` unless the site is http on loopback. Its expiry is all
    /// tower-sessions' own: a session that expires by inactivity does so unless it is changed.
    /// Where the session cookie has a `Domain`, tell [`cookie_domain`](Self::cookie_domain).
    /// An answer that sets the cookie is `Cache-Control: no-store`, whatever the handler says. A
    /// session that its store does not take, or that is too large for a cookie, is 503.
    ///
    /// # Sessions in a sealed cookie
    ///
    /// `CookieSessionManagerLayer::private` of `tower-sessions-cookie-store` 0.5 keeps the whole
    /// session in the cookie, encrypted, and asks no server for it; with leased users (the feature
    /// `leased`) a logged-in request touches no server at all. Everything here works with it
    /// (a logout ends each copy of the cookie at once), with these differences:
    ///
    /// - A sign-out takes the cookies away from the browser, and can do no more: a copy of them
    ///   stays good until the person logs out everywhere or it expires. The cookie with the
    ///   login's key is no help, as it is copied along. [`sign_out_everywhere`] turns the sign-out
    ///   into a logout everywhere.
    /// - `Expiry::OnInactivity` needs `with_always_save(true)`, or a use does not keep the session
    ///   from expiring. Whoever uses a copy keeps that alive too, so set a [`lifetime`].
    /// - Name and value must be within 4,096 bytes once sealed, or browsers drop the cookie
    ///   silently. What a handler puts into the session beyond that (some 1,800 bytes beside a
    ///   login) is 503 and an error in the log, and the session stays as it was. A login that
    ///   does not fit is 503 as well, and none; the ID token of an OpenID provider may be too
    ///   much (`Oidc::without_id_token_hint`).
    ///
    /// [`sign_out_everywhere`]: Self::sign_out_everywhere
    /// [`lifetime`]: Self::lifetime
    ///
    /// # Errors
    ///
    /// As [`new`](ClefLayer::new).
    ///
    /// ```
    /// use axum_clef::{ClefLayer, clef::Clef, stores::MemoryUserStore};
    /// use tower_sessions::{Expiry, MemoryStore, SessionManagerLayer, cookie::SameSite};
    ///
    /// # fn main() -> Result<(), axum_clef::AddressError> {
    /// let sessions = SessionManagerLayer::new(MemoryStore::default())
    ///     .with_same_site(SameSite::Lax)
    ///     .with_expiry(Expiry::OnSessionEnd);
    /// let auth = ClefLayer::with_session_layer(
    ///     "https://example.com",
    ///     Clef::new("https://clef.example.com", "app id", "app secret")?,
    ///     MemoryUserStore::new(),
    ///     sessions,
    /// )?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// In a sealed cookie, with a key of 64 random bytes that all nodes share:
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum_clef::{ClefLayer, clef::Clef, stores::MemoryUserStore};
    /// use tower_sessions_cookie_store::{
    ///     CookieSessionConfig, CookieSessionManagerLayer, Expiry, Key, SameSite,
    /// };
    ///
    /// # fn example(key: &[u8; 64]) -> Result<(), axum_clef::AddressError> {
    /// let config = CookieSessionConfig::default()
    ///     .with_name("__Host-session")
    ///     .with_same_site(SameSite::Lax)
    ///     .with_expiry(Expiry::OnInactivity(time::Duration::DAY))
    ///     .with_always_save(true);
    /// let auth = ClefLayer::with_session_layer(
    ///     "https://example.com",
    ///     Clef::new("https://clef.example.com", "app id", "app secret")?,
    ///     MemoryUserStore::new(),
    ///     CookieSessionManagerLayer::private(Key::from(key)).with_config(config),
    /// )?
    /// .lifetime(Duration::from_secs(30 * 24 * 60 * 60))
    /// .sign_out_everywhere();
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_session_layer(
        site: &str,
        provider: impl Provider,
        users: impl UserStore,
        sessions: L,
    ) -> Result<Self, AddressError>
    where
        // Any service would do; this one makes a mistake show here.
        L: Layer<ClefLayerService<Route>>,
    {
        Ok(Self::build(Site::parse(site)?, provider, users, sessions))
    }

    fn build(site: Site, provider: impl Provider, users: impl UserStore, sessions: L) -> Self {
        let paths = Paths::default();
        let limits = AdmissionLimits::default();
        let gate = Gate {
            users: Arc::new(users),
            pending: PendingLogouts::new(pending::CAPACITY),
            strangers: Strangers::default(),
            realms: Vec::new(),
            origin: site.origin(),
            lifetime: None,
            keeper: None,
            key_cookie: site.cookie_name("login", None),
            login_path: paths.start().to_owned(),
            render_rejection: None,
            live: Live::new(),
            unanswered: Arc::default(),
        };
        let context = Context {
            attempts: Attempts::new(site.clone()),
            sign_outs: SignOuts::new(site.clone()),
            notices: Notices::default(),
            notice_admission: NoticeAdmission::new(&limits),
            exchange_admission: Admission::new(&limits),
            redirect_admission: Admission::new(&limits),
            client_address: ClientAddress::default(),
            log_limit: Arc::default(),
            site,
            gate: Arc::new(gate),
            entrances: vec![Entrance {
                provider: Arc::new(provider),
                paths,
            }],
            key_cookie_domain: None,
            render_failure: None,
            sign_out_everywhere: false,
        };
        let layer = Self {
            context: Arc::new(context),
            sessions,
        };
        layer.in_its_realms()
    }

    /// The ready routes, to merge into the router before this layer goes around it: start,
    /// callback, logout webhook, sign-out and the events for open pages, under the [`paths`](Self::paths), and those of
    /// each [further provider](Self::with_provider).
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        routes::router(&self.context)
    }

    /// One more provider that people can log in with, its routes under paths of its own.
    ///
    /// People are told apart by issuer and subject, so whoever comes by two providers is two
    /// users, unless the [`UserStore`] knows better. Whoever must log in is sent to the first
    /// provider; offer the choice on a [`login_page`](Self::login_page).
    ///
    /// # Errors
    ///
    /// When one of the paths is that of a route already.
    ///
    /// ```
    /// use axum_clef::{ClefLayer, Paths, clef::Clef};
    ///
    /// # fn example<L>(auth: ClefLayer<L>) -> Result<ClefLayer<L>, axum_clef::BoxError> {
    /// let staff = Clef::new("https://clef.example.com", "another app id", "another app secret")?;
    /// let auth = auth
    ///     .with_provider(Paths::under("/staff")?, staff)?
    ///     .login_page("/log-in"); // which is shown there
    /// # Ok(auth)
    /// # }
    /// ```
    ///
    /// At this provider the callback `https://example.com/staff/callback` is registered, and as
    /// the case may be the webhook `/staff/logout` and the way back from a sign-out
    /// `/staff/signed-out`.
    pub fn with_provider(
        mut self,
        paths: Paths,
        provider: impl Provider,
    ) -> Result<Self, PathsError> {
        let mut entrances = self.context.entrances.iter();
        if let Some(twice) = entrances.find_map(|entrance| entrance.paths.shared_with(&paths)) {
            return Err(PathsError::Twice(twice.to_owned()));
        }
        self.context_mut().entrances.push(Entrance {
            provider: Arc::new(provider),
            paths,
        });
        Ok(self.in_its_realms())
    }

    /// Sends whoever must log in to a page of the application, with `?next=`, the path to come
    /// back to, instead of straight to the provider; and whoever's login did not work out. Link
    /// from there to the start route of each provider, and pass the query on as it came.
    ///
    /// ```
    /// use axum::{Router, extract::RawQuery, response::Html, routing::get};
    /// use axum_clef::{BoxError, ClefLayer, Paths, clef::Clef};
    ///
    /// /// Offers both providers.
    /// async fn log_in(RawQuery(query): RawQuery) -> Html<String> {
    ///     // `next` as it came: decoded, it would lose what stands behind an `&` in it. A query
    ///     // has no `"`, `<` or `>`, so it can do no harm here.
    ///     let query = query.unwrap_or_default().replace('&', "&amp;");
    ///     Html(format!(
    ///         r#"<a href="/clef/login?{query}">Customers</a> <a href="/staff/login?{query}">Staff</a>"#
    ///     ))
    /// }
    ///
    /// fn app(auth: ClefLayer<axum_clef::ClefSessions>) -> Result<Router, BoxError> {
    ///     let staff = Clef::new("https://clef.example.com", "another app id", "another app secret")?;
    ///     let auth = auth
    ///         .with_provider(Paths::under("/staff")?, staff)?
    ///         .login_page("/log-in");
    ///     Ok(Router::new()
    ///         .route("/log-in", get(log_in))
    ///         .merge(auth.routes())
    ///         .layer(auth))
    /// }
    ///
    /// # use axum_clef::stores::MemoryUserStore;
    /// # use tower::ServiceExt as _;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let clef = Clef::new("https://clef.example.com", "app id", "app secret")?;
    /// # let users = MemoryUserStore::new();
    /// # let sessions = tower_sessions::MemoryStore::default();
    /// # let app = app(ClefLayer::new("https://example.com", clef, users, sessions)?)?;
    /// # let get = |path: &str| axum::http::Request::get(path).body(axum::body::Body::empty());
    /// // Asked for /account?tab=1&page=2, people come back to just that.
    /// let page = app.clone().oneshot(get("/log-in?next=%2Faccount%3Ftab%3D1%26page%3D2")?).await?;
    /// let page = axum::body::to_bytes(page.into_body(), 1_000).await?;
    /// let page = String::from_utf8(page.to_vec())?;
    /// assert!(page.contains(r#""/staff/login?next=%2Faccount%3Ftab%3D1%26page%3D2""#));
    /// # let start = app.oneshot(get("/staff/login?next=%2Faccount%3Ftab%3D1%26page%3D2")?).await?;
    /// # assert_eq!(start.status(), 303);
    /// # Ok::<(), axum_clef::BoxError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn login_page(mut self, path: impl Into<String>) -> Self {
        self.gate_mut().login_path = path.into();
        self
    }

    /// Puts the routes of the first provider elsewhere than under `/clef`. Do so before taking
    /// them, and before [`with_provider`](Self::with_provider).
    ///
    /// ```
    /// use axum_clef::{ClefLayer, Paths};
    ///
    /// # fn example<L>(auth: ClefLayer<L>) -> Result<(), axum_clef::PathsError> {
    /// let auth = auth.paths(Paths::under("/auth")?);
    /// let routes: axum::Router = auth.routes();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn paths(mut self, paths: Paths) -> Self {
        self.gate_mut().login_path = paths.start().to_owned();
        if let Some(entrance) = self.context_mut().entrances.first_mut() {
            entrance.paths = paths;
        }
        self.in_its_realms()
    }

    /// Shares logins with the other hosts of a domain, for a session layer whose cookie has
    /// that `Domain` too. By default a login is good on its own host alone, which is safer:
    /// a domain is only as safe as the weakest of its hosts.
    ///
    /// ```
    /// use axum_clef::{ClefLayer, clef::Clef, stores::MemoryUserStore};
    /// use tower_sessions::{MemoryStore, SessionManagerLayer, cookie::SameSite};
    ///
    /// # fn main() -> Result<(), axum_clef::AddressError> {
    /// let sessions = SessionManagerLayer::new(MemoryStore::default())
    ///     .with_same_site(SameSite::Lax)
    ///     .with_domain("example.com");
    /// let auth = ClefLayer::with_session_layer(
    ///     "https://shop.example.com",
    ///     Clef::new("https://clef.example.com", "app id", "app secret")?,
    ///     MemoryUserStore::new(),
    ///     sessions,
    /// )?
    /// .cookie_domain("example.com");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        let domain = domain.into();
        self.gate_mut().key_cookie = self.context.site.cookie_name("login", Some(&domain));
        self.context_mut().key_cookie_domain = Some(domain);
        self.in_its_realms()
    }

    /// Names the realms anew.
    fn in_its_realms(mut self) -> Self {
        let context = &self.context;
        let entrances = context.entrances.iter();
        let realms = entrances.map(|entrance| context.realm(&entrance.paths));
        self.gate_mut().realms = realms.collect();
        self
    }

    fn context_mut(&mut self) -> &mut Context {
        Arc::make_mut(&mut self.context)
    }

    fn gate_mut(&mut self) -> &mut Gate {
        Arc::make_mut(&mut self.context_mut().gate)
    }
}

/// Called by axum for each route of each connection: it clones and builds nothing.
impl<S, L: Layer<ClefLayerService<S>>> Layer<S> for ClefLayer<L> {
    type Service = WithoutDisguisedCookies<AnswersForTheSessions<L::Service>>;

    fn layer(&self, inner: S) -> Self::Service {
        let service = ClefLayerService::new(inner, Arc::clone(&self.context));
        let service = self.sessions.layer(service);
        // Our own sessions answer for themselves.
        let context = match &self.context.gate.keeper {
            Some(_) => None,
            None => Some(Arc::clone(&self.context)),
        };
        let of_application = context.is_some();
        let service = AnswersForTheSessions::new(service, context);
        WithoutDisguisedCookies::new(service, of_application)
    }
}

impl<L> fmt::Debug for ClefLayer<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClefLayer")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
