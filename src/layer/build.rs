//! Checking the settings, and building the layer from them.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::{BuildError, ClefLayer, ClefLayerBuilder};
#[cfg(feature = "live")]
use crate::site::LivePaths;
use crate::{
    UserStore,
    auth::{Attempts, AuthState, SUSPENDED_LOGIN},
    log_limit::LogLimit,
    metrics,
    page::PageSettings,
    provider::ProviderSite,
    revocation::{DEFAULT_QUEUE_CAPACITY, LogoutQueue, UnknownSubjects},
    routes::{MountedEndpoint, RouteSettings, RoutesState},
    sessions::{LoginCookie, SessionBackend, Tokens},
    site::{Site, check_paths},
    users::{AnyUserStore, Sealed},
};

/// How long a login may take at the provider by default.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long a sealed login lasts at the most by default.
const SEALED_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl<S: UserStore> ClefLayerBuilder<S> {
    /// Checks the settings and builds the layer.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that names the setting which cannot work, and what to do about it.
    pub fn build(self) -> Result<ClefLayer, BuildError> {
        metrics::describe();
        let site = self.site()?;
        self.check_limits()?;
        #[cfg(feature = "live")]
        self.live.check()?;
        self.check_providers(&site)?;
        self.check_logout_endpoints()?;
        self.check_sessions()?;
        self.check_pages()?;
        #[cfg_attr(not(feature = "live"), expect(unused_mut))]
        let mut routes = self.routes();
        #[cfg(feature = "live")]
        let live = LivePaths::new(&self.live.path);
        #[cfg(feature = "live")]
        routes.extend(live.all());
        check_paths(&routes)?;
        let login_path = self.login_path(&site, &routes)?;
        let after_sign_out = self.page_after_sign_out(&site, &routes)?;
        let dead_ends = routes.iter().map(|path| (*path).to_owned());
        // A login over a covered page ends at its own route.
        #[cfg(feature = "live")]
        let dead_ends = dead_ends.filter(|path| *path != live.back);
        let dead_ends = dead_ends.collect();
        // So that the first requests find a node that may cache.
        if let Some(leases) = self.users.leases(Sealed) {
            leases.join();
        }
        let lifetime = self.sessions.is_sealed().then_some(SEALED_LIFETIME);
        let cookie = LoginCookie::new(&site, self.cookie_domain.as_deref());
        let token_context = cookie.token_context();
        let tokens = self.token_keys.map(|keys| Tokens::new(keys, token_context));
        let queue_capacity = self.pending_logout_limit.unwrap_or(DEFAULT_QUEUE_CAPACITY);
        let auth = AuthState {
            attempts: Attempts::new(
                site.clone(),
                self.login_timeout.unwrap_or(LOGIN_TIMEOUT),
                self.sessions.keys().cloned(),
            ),
            users: self.users as Arc<dyn AnyUserStore>,
            suspended: SessionBackend::new(
                self.sessions.clone(),
                LoginCookie::suspended(&site),
                SUSPENDED_LOGIN,
            ),
            sessions: SessionBackend::new(self.sessions, cookie, self.idle_expiry),
            identities: self.identities,
            tokens,
            providers: self.providers,
            queue: LogoutQueue::new(queue_capacity),
            unknown_subjects: UnknownSubjects::default(),
            lifetime: self.lifetime.or(lifetime),
            has_login_page: self.login_page.is_some(),
            login_path,
            dead_ends,
            has_routes: AtomicBool::new(false),
            render_rejection: self.render_rejection,
            pages: Arc::new(PageSettings {
                front: site.path("/"),
                ..self.pages
            }),
            hooks: self.hooks,
            #[cfg(feature = "live")]
            listeners: self.live.signals(),
            #[cfg(not(feature = "live"))]
            listeners: crate::auth::Listeners,
            unanswered: LogLimit::default(),
            renewals: Arc::new(Semaphore::new(AuthState::RENEWALS_AT_ONCE)),
            site,
        };
        let settings = RouteSettings {
            notice_limits: self.notice_limits.unwrap_or_default(),
            login_limits: self.login_limits.unwrap_or_default(),
            client_address: self.client_address.unwrap_or_default(),
            notes_sessions: self.logout_endpoints.iter().any(ends_noted_sessions),
            logout_endpoints: self.logout_endpoints,
            render_failure: self.render_failure,
            sign_out_path: self.sign_out_path,
            sign_out_everywhere: self.sign_out_everywhere,
            after_sign_out,
            #[cfg(feature = "live")]
            live,
        };
        Ok(ClefLayer {
            routes: Arc::new(RoutesState::new(auth, settings)),
        })
    }

    fn site(&self) -> Result<Site, BuildError> {
        let mut site = Site::parse(&self.site)?;
        if self.base_path_stripped {
            if !site.has_base() {
                return Err(BuildError::NoBasePath);
            }
            site = site.with_stripped_base();
        }
        if let Some(name) = &self.cookie_name {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            let prefixed = name.starts_with("__");
            if prefixed || !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
                return Err(BuildError::CookieName(name.clone()));
            }
            site = site.with_cookie(name.clone());
        }
        for origin in &self.trusted_origins {
            let trusting = site.with_trusted_origin(origin);
            site = trusting.ok_or_else(|| BuildError::TrustedOrigin(origin.clone()))?;
        }
        if let Some(domain) = &self.cookie_domain
            && !site.is_in(domain)
        {
            return Err(BuildError::CookieDomain(domain.clone()));
        }
        Ok(site)
    }

    fn check_limits(&self) -> Result<(), BuildError> {
        let admission = [
            ("notice_limits", self.notice_limits),
            ("login_limits", self.login_limits),
        ];
        for (setting, is_zero) in [
            ("pending_logout_limit", self.pending_logout_limit == Some(0)),
            ("idle_expiry", is_nothing(self.idle_expiry)),
            ("lifetime", self.lifetime.is_some_and(is_nothing)),
            ("login_timeout", self.login_timeout.is_some_and(is_nothing)),
        ] {
            if is_zero {
                return Err(BuildError::Zero(setting));
            }
        }
        for (setting, limits) in admission {
            if limits.is_some_and(|limits| limits.has_zero()) {
                return Err(BuildError::Zero(setting));
            }
            if limits.is_some_and(|limits| limits.exceeds_itself()) {
                return Err(BuildError::NeverReached(
                    "AdmissionLimits::concurrency_per_client",
                    "AdmissionLimits::concurrency",
                ));
            }
        }
        Ok(())
    }

    /// Without a provider there is no exchange of a code.
    fn check_providers(&self, site: &Site) -> Result<(), BuildError> {
        for (setting, is_set) in [
            ("login_limits", self.login_limits.is_some()),
            ("login_timeout", self.login_timeout.is_some()),
        ] {
            if is_set && self.providers.is_empty() {
                return Err(BuildError::NoProvider(setting));
            }
        }
        for mounted in &self.providers {
            let callback_url = site.url(mounted.paths.callback());
            let logout_url = site.url(mounted.paths.logout());
            let site = ProviderSite::new(&callback_url, &logout_url)
                .with_noted_sessions(mounted.identities.notes_sessions());
            let checked = mounted.provider.check_site(&site);
            checked.map_err(|error| BuildError::Provider {
                provider: mounted.provider.name().to_owned(),
                error,
            })?;
        }
        Ok(())
    }

    /// Without an endpoint no notice arrives.
    fn check_logout_endpoints(&self) -> Result<(), BuildError> {
        let mut providers = self.providers.iter();
        let receives_notices = !self.logout_endpoints.is_empty()
            || providers.any(|mounted| mounted.provider.logout_endpoint().is_some());
        if self.notice_limits.is_some() && !receives_notices {
            return Err(BuildError::NoLogoutEndpoint("notice_limits"));
        }
        if self.client_address.is_some() && !receives_notices && self.providers.is_empty() {
            return Err(BuildError::NoLogoutEndpoint("client_address"));
        }
        let identities = self.identities.as_ref();
        let notes_sessions = identities.is_some_and(|identities| identities.notes_sessions())
            && UserStore::keeps_revocations(&*self.users);
        let knows_identifiers = identities.is_some_and(|store| store.knows_identifiers());
        for mounted in &self.logout_endpoints {
            let checked = mounted.endpoint.check_settings();
            checked.map_err(|error| BuildError::LogoutEndpoint {
                path: mounted.path.clone(),
                error,
            })?;
            if ends_noted_sessions(mounted) && !notes_sessions {
                return Err(BuildError::SessionsNotNoted(mounted.path.clone()));
            }
            if mounted.endpoint.names_identifiers() && !knows_identifiers {
                return Err(BuildError::IdentifiersNotKnown(mounted.path.clone()));
            }
        }
        Ok(())
    }

    fn check_sessions(&self) -> Result<(), BuildError> {
        if self.sessions.has_no_key() {
            return Err(BuildError::NoSessionKey);
        }
        if self.sessions.is_sealed() && !UserStore::keeps_revocations(&*self.users) {
            return Err(BuildError::RevocationsNotKept);
        }
        if let Some(keys) = &self.token_keys {
            if keys.is_empty() {
                return Err(BuildError::NoTokenKey);
            }
            if !UserStore::keeps_revocations(&*self.users) {
                return Err(BuildError::TokensNotRevocable);
            }
        }
        Ok(())
    }

    /// The paths of the routes, below the base path.
    fn routes(&self) -> Vec<&str> {
        let providers = self.providers.iter();
        let of_providers = providers.flat_map(|mounted| mounted.paths.all());
        let endpoints = self.logout_endpoints.iter();
        let endpoints = endpoints.map(|mounted| &*mounted.path);
        let of_layer = [&*self.sign_out_path];
        of_providers.chain(endpoints).chain(of_layer).collect()
    }

    /// Where unauthenticated users are sent, as a path in the browser.
    fn login_path(&self, site: &Site, routes: &[&str]) -> Result<String, BuildError> {
        let Some(page) = &self.login_page else {
            let first = self.providers.first().ok_or(BuildError::NoLogin)?;
            return Ok(site.path(first.paths.start()));
        };
        match routes.contains(&&**page) || !is_page(page) {
            true => Err(BuildError::LoginPage(page.clone())),
            false => Ok(site.path(page)),
        }
    }

    fn page_after_sign_out(&self, site: &Site, routes: &[&str]) -> Result<String, BuildError> {
        let page = self.after_sign_out.as_deref().unwrap_or("/");
        let mut providers = self.providers.iter();
        let is_start = providers.any(|mounted| mounted.paths.start() == page);
        match routes.contains(&page) && !is_start || !is_page(page) {
            true => Err(BuildError::AfterSignOut(page.to_owned())),
            false => Ok(site.path(page)),
        }
    }
}

fn ends_noted_sessions(mounted: &MountedEndpoint) -> bool {
    mounted.endpoint.ends_noted_sessions()
}

/// Whether a time is less than what timestamps count in.
fn is_nothing(time: Duration) -> bool {
    time.as_micros() == 0
}

/// Whether this is the path of a page of this site, in plain characters and without a query.
fn is_page(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>?\\^`{|}".contains(&byte);
    path.starts_with('/') && !path.starts_with("//") && path.bytes().all(plain)
}
