//! The settings of a layer.

use std::{fmt, future::Future, net::IpAddr, sync::Arc, time::Duration};

use axum::response::Response;
use http::request::Parts;

use crate::{
    AdmissionLimits, BoxError, IdentityStore, LoggedInRejection, Login, LoginFailure, Paths,
    Sessions, UserStore,
    auth::{Hook, Hooks, MountedProvider, RenderRejection},
    live::LogoutSignals,
    provider::Provider,
    revocation,
    routes::{ClientAddress, RenderFailure},
    users::AnyIdentityStore,
};

/// How long a login lasts without a request by default.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// The settings of a [`ClefLayer`](crate::ClefLayer), made by [`ClefLayer::builder`](crate::ClefLayer::builder).
///
/// Their order makes no difference. What cannot work is an error of [`build`](Self::build).
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClefLayerBuilder<S> {
    pub(super) site: String,
    pub(super) base_path_stripped: bool,
    pub(super) users: Arc<S>,
    pub(super) sessions: Sessions,
    pub(super) providers: Vec<MountedProvider>,
    pub(super) login_page: Option<String>,
    pub(super) after_sign_out: Option<String>,
    pub(super) cookie_name: Option<String>,
    pub(super) cookie_domain: Option<String>,
    pub(super) idle_expiry: Duration,
    pub(super) lifetime: Option<Duration>,
    pub(super) render_rejection: Option<RenderRejection>,
    pub(super) render_failure: Option<RenderFailure>,
    pub(super) hooks: Hooks,
    pub(super) sign_out_everywhere: bool,
    pub(super) notice_limits: AdmissionLimits,
    pub(super) login_limits: AdmissionLimits,
    pub(super) pending_logout_limit: usize,
    pub(super) client_address: ClientAddress,
    pub(super) live: LogoutSignals,
    pub(super) live_zero: Option<&'static str>,
}

impl<S: UserStore> ClefLayerBuilder<S> {
    pub(super) fn new(site: String, users: S, sessions: Sessions) -> Self {
        Self {
            site,
            base_path_stripped: false,
            users: Arc::new(users),
            sessions,
            providers: Vec::new(),
            login_page: None,
            after_sign_out: None,
            cookie_name: None,
            cookie_domain: None,
            idle_expiry: IDLE,
            lifetime: None,
            render_rejection: None,
            render_failure: None,
            hooks: Hooks::default(),
            sign_out_everywhere: false,
            notice_limits: AdmissionLimits::default(),
            login_limits: AdmissionLimits::default(),
            pending_logout_limit: revocation::DEFAULT_QUEUE_CAPACITY,
            client_address: ClientAddress::default(),
            live: LogoutSignals::new(),
            live_zero: None,
        }
    }

    /// Lets users log in at a provider, with the routes under [`Paths::default`].
    ///
    /// The first provider is the one that unauthenticated users are sent to, unless there is a
    /// [`login_page`](Self::login_page).
    pub fn provider(self, provider: impl Provider) -> Self
    where
        S: IdentityStore,
    {
        self.provider_at(Paths::default(), provider)
    }

    /// Lets users log in at a provider, with the routes under paths of its own: for several
    /// providers, or other paths.
    ///
    /// Users are told apart by issuer and subject, so a person who comes by two providers is two
    /// users, unless the [`IdentityStore`] maps both subjects to one. Offer the choice on a
    /// [`login_page`](Self::login_page).
    ///
    /// At a provider under `/staff` the callback `https://example.com/staff/callback` is
    /// registered, and, as the provider needs them, the webhook `/staff/logout` and the way back
    /// from a sign-out `/staff/signed-out`.
    ///
    /// ```
    /// use axum_clef::{ClefLayer, Paths, clef::Clef};
    /// # use axum_clef::{BoxError, stores::MemoryUserStore};
    /// # use tower_sessions::MemoryStore;
    ///
    /// # fn main() -> Result<(), BoxError> {
    /// # let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    /// let auth = ClefLayer::builder("https://example.com", users, sessions)
    ///     .provider(Clef::new("https://clef.example", "app id", "app secret")?)
    ///     .provider_at(
    ///         Paths::under("/staff")?,
    ///         Clef::new("https://clef.example", "another app id", "another app secret")?,
    ///     )
    ///     .login_page("/log-in") // which offers both
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn provider_at(mut self, paths: Paths, provider: impl Provider) -> Self
    where
        S: IdentityStore,
    {
        self.providers.push(MountedProvider {
            provider: Arc::new(provider),
            paths,
            identities: Arc::clone(&self.users) as Arc<dyn AnyIdentityStore>,
        });
        self
    }

    /// Sends unauthenticated users, and users whose login failed, to a page of the application
    /// instead of straight to the provider. It receives `?next=`, the path to come back to. Link
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
    /// # use axum_clef::stores::MemoryUserStore;
    /// # use tower_sessions::MemoryStore;
    /// fn app() -> Result<Router, BoxError> {
    ///     let clef = Clef::new("https://clef.example", "app id", "app secret")?;
    ///     let staff = Clef::new("https://clef.example", "another app id", "another secret")?;
    /// #   let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    ///     let auth = ClefLayer::builder("https://example.com", users, sessions)
    ///         .provider(clef)
    ///         .provider_at(Paths::under("/staff")?, staff)
    ///         .login_page("/log-in")
    ///         .build()?;
    ///     Ok(Router::new()
    ///         .route("/log-in", get(log_in))
    ///         .merge(auth.routes())
    ///         .layer(auth))
    /// }
    ///
    /// # use tower::ServiceExt as _;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let app = app()?;
    /// # let get = |path: &str| axum::http::Request::get(path).body(axum::body::Body::empty());
    /// // Asked for /account?tab=1&page=2, users come back to just that.
    /// let page = app.clone().oneshot(get("/log-in?next=%2Faccount%3Ftab%3D1%26page%3D2")?).await?;
    /// let page = axum::body::to_bytes(page.into_body(), 1_000).await?;
    /// let page = String::from_utf8(page.to_vec())?;
    /// assert!(page.contains(r#""/staff/login?next=%2Faccount%3Ftab%3D1%26page%3D2""#));
    /// # let start = app.oneshot(get("/staff/login?next=%2Faccount%3Ftab%3D1%26page%3D2")?).await?;
    /// # assert_eq!(start.status(), 303);
    /// # Ok::<(), BoxError>(())
    /// # }).unwrap();
    /// ```
    pub fn login_page(mut self, path: impl Into<String>) -> Self {
        self.login_page = Some(path.into());
        self
    }

    /// Sends the browser to this page after a sign-out. Defaults to the front page, `/`. Of the
    /// routes, only the start of a login can be that page.
    pub fn after_sign_out(mut self, path: impl Into<String>) -> Self {
        self.after_sign_out = Some(path.into());
        self
    }

    /// For a site below a path, such as `https://example.com/app`, behind a reverse proxy that
    /// strips the path: requests arrive as `/account` instead of `/app/account`.
    ///
    /// Without it, nest the router: `Router::new().nest("/app", app)`. Paths in the settings are
    /// below the base path in both cases.
    pub fn base_path_stripped(mut self) -> Self {
        self.base_path_stripped = true;
        self
    }

    /// The name of the login's cookie. Defaults to `auth`, which a browser sees as `__Host-auth`
    /// where the site is https, and as `auth-3000` on loopback.
    ///
    /// Two applications on one host, such as `https://example.com/shop` and
    /// `https://example.com/blog`, need two names, or each login ends that of the other.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = Some(name.into());
        self
    }

    /// Shares logins with the other hosts of a domain that have the same stores. By default a login
    /// is valid on its own host alone, which is safer: a domain is as safe as the weakest of its
    /// hosts. Browsers refuse a domain under which anybody can register names, such as `co.uk` or
    /// `github.io`; of these, only top-level domains are an error of `build`.
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.cookie_domain = Some(domain.into());
        self
    }

    /// How long a login lasts without a request that asks for the user. Defaults to 24 hours.
    ///
    /// Such a request is noted at most twenty times in that time, so a login may end by a
    /// twentieth of it early.
    pub fn idle_expiry(mut self, idle: Duration) -> Self {
        self.idle_expiry = idle;
        self
    }

    /// How long a login lasts at the most, however often it is used. Defaults to no limit where
    /// logins are stored, and to 30 days where they are sealed.
    ///
    /// Counted from its beginning, at each request: a lower limit ends older logins at once, and a
    /// higher one does not prolong them. A login at a provider that names sessions lasts 30 days at
    /// the most.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Renders rejections the application's way, all of them, including the redirect to the login.
    /// [`LoggedInRejection::default_response`] is there for what the application does not change.
    /// Keep the [`status`](LoggedInRejection::status), and show nothing of its `source`.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use axum_clef::{ClefLayerBuilder, LoggedInRejection, UserStore};
    ///
    /// fn as_text(rejection: &LoggedInRejection) -> Response {
    ///     if rejection.is_navigation() {
    ///         return rejection.default_response();
    ///     }
    ///     (rejection.status(), rejection.to_string()).into_response()
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.render_rejections(as_text)
    /// # }
    /// ```
    pub fn render_rejections(
        mut self,
        render: impl Fn(&LoggedInRejection) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.render_rejection = Some(Arc::new(render));
        self
    }

    /// Renders the page of a failed login the application's way. Keep the
    /// [`status`](LoginFailure::status), offer the [`retry_url`](LoginFailure::retry_url), and show
    /// nothing of its `source`.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use axum_clef::{ClefLayerBuilder, LoginFailure, UserStore};
    ///
    /// fn as_text(failure: &LoginFailure) -> Response {
    ///     let text = format!("{failure} Try again: {}", failure.retry_url());
    ///     (failure.status(), text).into_response()
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.render_login_failures(as_text)
    /// # }
    /// ```
    pub fn render_login_failures(
        mut self,
        render: impl Fn(&LoginFailure) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.render_failure = Some(Arc::new(render));
        self
    }

    /// Calls a function for each login before it begins, with the head of the request and the
    /// login: to give the application's own session a new id, for example. A function that fails or
    /// takes longer than ten seconds fails the login with 503.
    ///
    /// ```
    /// use axum::http::request::Parts;
    /// use axum_clef::{BoxError, ClefLayerBuilder, Login, UserStore};
    /// use tower_sessions::Session;
    ///
    /// /// The application's own session layer is outside of the `ClefLayer`.
    /// async fn renew_session(parts: Parts, _login: Login) -> Result<(), BoxError> {
    ///     if let Some(session) = parts.extensions.get::<Session>() {
    ///         session.cycle_id().await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.on_login(renew_session)
    /// # }
    /// ```
    pub fn on_login<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Parts, Login) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.on_login = Some(Hook::new(hook));
        self
    }

    /// Calls a function for each login that its browser has signed out, once it has ended: to clear
    /// what the application keeps for it. A function that fails is logged, and the login stays
    /// ended.
    ///
    /// ```
    /// use axum::http::request::Parts;
    /// use axum_clef::{BoxError, ClefLayerBuilder, Login, UserStore};
    /// use tower_sessions::Session;
    ///
    /// async fn clear_session(parts: Parts, _login: Login) -> Result<(), BoxError> {
    ///     if let Some(session) = parts.extensions.get::<Session>() {
    ///         session.flush().await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.on_sign_out(clear_session)
    /// # }
    /// ```
    pub fn on_sign_out<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Parts, Login) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.on_sign_out = Some(Hook::new(hook));
        self
    }

    /// Makes the sign-out route end all logins of the user, as the logout webhook does, and not
    /// this browser's alone. Say so on the button: "Sign out everywhere".
    ///
    /// Only a valid login ends the user's others; with one that has ended, the route removes the
    /// cookies alone. While the user store does not take the logout, the answer is 503
    /// ([`LoginFailureKind::NotSignedOut`](crate::LoginFailureKind::NotSignedOut)), and the browser
    /// keeps its cookies to try again with. This node refuses the user meanwhile, and goes on
    /// trying.
    pub fn sign_out_everywhere(mut self) -> Self {
        self.sign_out_everywhere = true;
        self
    }

    /// Limits the logout notices that are checked at once and wait for it.
    ///
    /// Senders of good notices have as many permits and as much of a queue again to themselves,
    /// which one address may use alone. So neither forged notices nor notices from unknown
    /// addresses hold the provider up. A notice that arrives again while it is checked costs no
    /// call; as many of those wait as the queue is long.
    ///
    /// ```
    /// use axum_clef::{AdmissionLimits, ClefLayerBuilder, UserStore};
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.notice_limits(AdmissionLimits::default().concurrency(16))
    /// # }
    /// ```
    pub fn notice_limits(mut self, limits: AdmissionLimits) -> Self {
        self.notice_limits = limits;
        self
    }

    /// Limits the logins that call a provider at once and wait for it.
    ///
    /// The limits count for the callbacks of one provider, and once more for its starts and
    /// sign-outs together. A
    /// login that is not admitted is answered 503
    /// ([`LoginFailureKind::Overloaded`](crate::LoginFailureKind::Overloaded)); its state stays
    /// valid, so the user can try again. A sign-out that is not admitted ends the login here and
    /// does not go on at the provider.
    ///
    /// ```
    /// use axum_clef::{AdmissionLimits, ClefLayerBuilder, UserStore};
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.login_limits(AdmissionLimits::default().concurrency(256))
    /// # }
    /// ```
    pub fn login_limits(mut self, limits: AdmissionLimits) -> Self {
        self.login_limits = limits;
        self
    }

    /// Limits the logouts that are accepted and wait for the user store. Defaults to 1,024 of some
    /// hundred bytes each.
    ///
    /// While as many wait, no notice is checked. The notices in progress at that moment may come on
    /// top.
    pub fn pending_logout_limit(mut self, limit: usize) -> Self {
        self.pending_logout_limit = limit;
        self
    }

    /// Finds the client address of a request to the routes, for a site behind a reverse proxy: the
    /// address in a header that the proxy sets and no client can.
    ///
    /// Defaults to the peer of the connection, which the server makes known by
    /// [`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info).
    /// Without an address all clients share one quota, and no permits are kept for the provider;
    /// the first such request is logged as a warning.
    ///
    /// ```
    /// # use axum_clef::{ClefLayerBuilder, UserStore};
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.client_address(|request| {
    ///     let address = request.headers.get("x-real-ip")?.to_str().ok()?;
    ///     address.parse().ok()
    /// })
    /// # }
    /// ```
    pub fn client_address(
        mut self,
        find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.client_address = ClientAddress::new(find);
        self
    }

    /// How often the stores are asked about the logins that a [`LogoutSignal`](crate::LogoutSignal) or an
    /// open page listens to. Defaults to ten seconds. Logouts that this node receives are signalled
    /// at once; logouts of other nodes once the stores are asked, or by the news of a leased store.
    ///
    /// In this time the user store is asked at most once about each user with listeners (once for
    /// each session at the provider, where that names sessions), and the session store once about
    /// each login, evenly over the time and at most eight at once. An interval of less than a tenth
    /// of a second counts as that, one of more than a day as a day.
    pub fn live_interval(self, interval: Duration) -> Self {
        self.live.set_interval(interval);
        self
    }

    /// How many pages may have `GET /clef/live` open at this node. Defaults to 20,000.
    ///
    /// Each takes a file descriptor, so keep the number below the limit of the process. The last
    /// quarter of the places is reserved: only a user without an open page gets one of them, so
    /// that a few users with many pages do not keep all others out. What is turned away is 503
    /// with `Retry-After`, and the page tries again; the log says how many at most once a second.
    ///
    /// A [`LogoutSignal`](crate::LogoutSignal) in a handler is not counted: the application bounds those.
    pub fn most_live_pages(mut self, pages: usize) -> Self {
        self.not_zero("most_live_pages", pages);
        self.live.pages().set_most(pages);
        self
    }

    /// How many pages of one user, by all logins together, may be open at this node. Defaults to
    /// 64. Raise it where many people share an account.
    ///
    /// What is turned away is 503, as with [`most_live_pages`](Self::most_live_pages).
    pub fn most_live_pages_per_user(mut self, pages: usize) -> Self {
        self.not_zero("most_live_pages_per_user", pages);
        self.live.pages().set_most_per_user(pages);
        self
    }

    /// How many pages of one login, so of one browser, may be open at this node. Defaults to 16.
    ///
    /// With the script `/clef/live.js`, a browser has one connection for each visible page, one for
    /// all hidden pages together, and briefly one for each page that loads. What is turned away is
    /// 503, as with [`most_live_pages`](Self::most_live_pages).
    pub fn most_live_pages_per_login(mut self, pages: usize) -> Self {
        self.not_zero("most_live_pages_per_login", pages);
        self.live.pages().set_most_per_login(pages);
        self
    }

    fn not_zero(&mut self, setting: &'static str, value: usize) {
        if value == 0 {
            self.live_zero = Some(setting);
        }
    }
}

impl<S> fmt::Debug for ClefLayerBuilder<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClefLayerBuilder")
            .field("site", &self.site)
            .field("providers", &self.providers)
            .finish_non_exhaustive()
    }
}
