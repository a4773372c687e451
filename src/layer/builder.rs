//! The settings of a layer.

use std::{fmt, sync::Arc, time::Duration};

#[cfg(feature = "live")]
use super::live_settings::LiveSettings;
use crate::{
    AdmissionLimits, IdentityStore, Paths, SessionKey, Sessions, UserStore,
    auth::{Hooks, MountedProvider, RenderRejection},
    page::PageSettings,
    provider::{LogoutEndpoint, Provider},
    routes::{ClientAddress, MountedEndpoint, RenderFailure},
    sessions::SessionKeys,
    users::AnyIdentityStore,
};

/// How long a login lasts without a request by default.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a browser signs out by default.
const SIGN_OUT: &str = "/auth/sign-out";

/// The builder of a [`ClefLayer`](crate::ClefLayer), made by [`ClefLayer::builder`](crate::ClefLayer::builder).
///
/// [pages#your-colors]: crate::guide::pages#your-colors
///
#[doc = include_str!("../../docs/settings.md")]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClefLayerBuilder<S> {
    pub(super) site: String,
    pub(super) base_path_stripped: bool,
    pub(super) trusted_origins: Vec<String>,
    pub(super) users: Arc<S>,
    pub(super) sessions: Sessions,
    pub(super) token_keys: Option<SessionKeys>,
    pub(super) providers: Vec<MountedProvider>,
    pub(super) logout_endpoints: Vec<MountedEndpoint>,
    pub(super) identities: Option<Arc<dyn AnyIdentityStore>>,
    pub(super) login_page: Option<String>,
    pub(super) sign_out_path: String,
    pub(super) sign_out_everywhere: bool,
    pub(super) after_sign_out: Option<String>,
    pub(super) cookie_name: Option<String>,
    pub(super) cookie_domain: Option<String>,
    pub(super) idle_expiry: Duration,
    pub(super) lifetime: Option<Duration>,
    pub(super) login_timeout: Option<Duration>,
    pub(super) render_rejection: Option<RenderRejection>,
    pub(super) render_failure: Option<RenderFailure>,
    pub(super) pages: PageSettings,
    pub(super) hooks: Hooks,
    pub(super) notice_limits: Option<AdmissionLimits>,
    pub(super) login_limits: Option<AdmissionLimits>,
    pub(super) pending_logout_limit: Option<usize>,
    pub(super) client_address: Option<ClientAddress>,
    #[cfg(feature = "live")]
    pub(super) live: LiveSettings,
}

impl<S: UserStore> ClefLayerBuilder<S> {
    pub(super) fn new(site: String, users: S, sessions: Sessions) -> Self {
        Self {
            site,
            base_path_stripped: false,
            trusted_origins: Vec::new(),
            users: Arc::new(users),
            sessions,
            token_keys: None,
            providers: Vec::new(),
            logout_endpoints: Vec::new(),
            identities: None,
            login_page: None,
            sign_out_path: SIGN_OUT.to_owned(),
            sign_out_everywhere: false,
            after_sign_out: None,
            cookie_name: None,
            cookie_domain: None,
            idle_expiry: IDLE,
            lifetime: None,
            login_timeout: None,
            render_rejection: None,
            render_failure: None,
            pages: PageSettings::default(),
            hooks: Hooks::default(),
            notice_limits: None,
            login_limits: None,
            pending_logout_limit: None,
            client_address: None,
            #[cfg(feature = "live")]
            live: LiveSettings::default(),
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
        let identities = Arc::clone(&self.users) as Arc<dyn AnyIdentityStore>;
        self.identities = Some(Arc::clone(&identities));
        self.providers.push(MountedProvider {
            provider: Arc::new(provider),
            paths,
            identities,
        });
        self
    }

    /// Receives logout notices at a further path: from a provider that sends them in several ways,
    /// or from a service that logs no users in.
    ///
    /// The endpoint that a provider has by itself is mounted with it.
    ///
    /// ```
    /// use axum_clef::{ClefLayer, oidc::Oidc};
    /// # use axum_clef::{BoxError, stores::MemoryUserStore};
    /// # use tower_sessions::MemoryStore;
    ///
    /// # fn main() -> Result<(), BoxError> {
    /// # let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    /// let provider = Oidc::new("https://id.example.com", "your client id", "your client secret")?;
    /// let auth = ClefLayer::builder("https://example.com", users, sessions)
    ///     .logout_endpoint("/clef/front-channel-logout", provider.front_channel_logout())
    ///     .provider(provider)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn logout_endpoint(mut self, path: impl Into<String>, endpoint: impl LogoutEndpoint) -> Self
    where
        S: IdentityStore,
    {
        self.identities = Some(Arc::clone(&self.users) as Arc<dyn AnyIdentityStore>);
        self.logout_endpoints.push(MountedEndpoint {
            path: path.into(),
            endpoint: Arc::new(endpoint),
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

    /// For a site below a path, such as `https://example.com/app`, behind a reverse proxy that
    /// strips the path: requests arrive as `/account` instead of `/app/account`.
    ///
    /// Without it, nest the router: `Router::new().nest("/app", app)`. Paths in the settings are
    /// below the base path in both cases. For a site without a base path it is an error of `build`.
    pub fn base_path_stripped(mut self) -> Self {
        self.base_path_stripped = true;
        self
    }

    /// Accepts what pages of another origin send, as if they were pages of this site: at
    /// [`SameOrigin`](crate::SameOrigin), [`NewLogin`](crate::NewLogin),
    /// [`NewToken`](crate::NewToken), the start of a login by a form and the sign-out. For a front end
    /// such as `https://app.example.com` in front of a site at `https://api.example.com`. Defaults to
    /// none; call it once for each origin.
    ///
    /// Such a page can do everything that its user can do, so trust none that shows what others wrote
    /// as HTML. Scripts there also need a `CorsLayer` with this origin:
    /// [the guide](crate::guide::script_front_ends#another-origin) has both.
    ///
    /// Browsers send the login's cookie from other hosts of one domain and from other ports of one
    /// host alone, with the scheme of the site. So an origin on another domain is an error of `build`.
    ///
    /// ```
    /// use axum_clef::{ClefLayerBuilder, UserStore};
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.trusted_origin("https://app.example.com")
    /// # }
    /// ```
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.trusted_origins.push(origin.into());
        self
    }

    /// The name of the login's cookie. Defaults to `auth`, which a browser sees as `__Host-auth`
    /// where the site is https, and as `auth-3000` on loopback.
    ///
    /// Two applications on one host, such as `https://example.com/shop` and
    /// `https://example.com/blog`, need two names, or each login ends the other's.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = Some(name.into());
        self
    }

    /// Shares logins with the other hosts of a domain that have the same stores. By default a login
    /// is valid on its own host alone, which is safer: a domain is as safe as the weakest of its
    /// hosts. Browsers refuse a domain under which the public can register names, such as `co.uk` or
    /// `github.io`; of these, only top-level domains are an error of `build`. So is the host of a
    /// site that has no domain, such as an IP address or `localhost`.
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.cookie_domain = Some(domain.into());
        self
    }

    /// How long a login lasts without a request that asks for the user. Defaults to 24 hours.
    ///
    /// Activity is recorded at most once per twentieth of this time, so a login may expire up to that
    /// much early.
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

    /// Accepts bearer tokens of programs beside the login's cookie, on the same guards:
    /// `Authorization: Bearer` (RFC 6750). Off by default. [`NewToken`](crate::NewToken) makes them,
    /// and [the guide](crate::guide::tokens) has more.
    ///
    /// The first key seals, and every key opens, as with [`Sessions::sealed`](crate::Sessions::sealed);
    /// the keys may be the same. It is an error of `build` without a key, and over a user store that
    /// keeps no revocations.
    ///
    /// ```
    /// use axum_clef::{ClefLayerBuilder, SessionKey, UserStore};
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>, key: [u8; 32]) -> ClefLayerBuilder<S> {
    /// auth.bearer_tokens([SessionKey::from_bytes(key)])
    /// # }
    /// ```
    pub fn bearer_tokens(mut self, keys: impl IntoIterator<Item = SessionKey>) -> Self {
        self.token_keys = Some(SessionKeys::new(keys.into_iter().collect()));
        self
    }

    /// How long a login may take at the provider, from the start to the callback. Defaults to ten
    /// minutes, by the clock of the server. Later callbacks are answered 403
    /// ([`LoginFailureKind::StateMismatch`](crate::LoginFailureKind::StateMismatch)).
    ///
    /// An identity is [linked](crate::guide::linking) only if the user proved the credentials of their
    /// login at most 20 minutes ago, however long this is.
    pub fn login_timeout(mut self, timeout: Duration) -> Self {
        self.login_timeout = Some(timeout);
        self
    }

    /// The path of the sign-out route: `POST` ends the login of this browser. Defaults to
    /// `/auth/sign-out`. A script gets JSON with the `location` to go to.
    ///
    /// The route accepts forms of this site alone. A login at a provider that has a sign-out of its
    /// own goes on there.
    pub fn sign_out_path(mut self, path: impl Into<String>) -> Self {
        self.sign_out_path = path.into();
        self
    }

    /// Sends the browser to this page after a sign-out. Defaults to the front page, `/`. Of the
    /// routes, only the start of a login can be that page.
    pub fn after_sign_out(mut self, path: impl Into<String>) -> Self {
        self.after_sign_out = Some(path.into());
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
