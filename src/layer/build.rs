//! Checking the settings, and building the layer from them.

use std::{sync::Arc, time::Duration};

use super::{BuildError, ClefLayer, ClefLayerBuilder};
use crate::{
    PathsError, UserStore,
    auth::{Attempts, AuthState},
    log_limit::LogLimit,
    revocation::{LogoutQueue, UnknownSubjects},
    routes::RoutesState,
    sessions::{LoginCookie, SessionBackend},
    site::Site,
    users::AnyUserStore,
};

/// How long a sealed login lasts at the most by default.
const SEALED_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl<S: UserStore> ClefLayerBuilder<S> {
    /// Checks the settings and builds the layer.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that names the setting which cannot work, and what to do about it.
    pub fn build(self) -> Result<ClefLayer, BuildError> {
        let site = self.site()?;
        self.check_limits()?;
        self.check_providers()?;
        let login_path = self.login_path(&site)?;
        let after_sign_out = self.page_after_sign_out(&site)?;
        if self.sessions.has_no_key() {
            return Err(BuildError::NoSessionKey);
        }
        let sealed = self.sessions.is_sealed();
        if sealed && !UserStore::keeps_revocations(&*self.users) {
            return Err(BuildError::RevocationsNotKept);
        }
        let cookie = LoginCookie::new(&site, self.cookie_domain.as_deref());
        let auth = AuthState {
            attempts: Attempts::new(site.clone()),
            users: self.users as Arc<dyn AnyUserStore>,
            sessions: SessionBackend::new(self.sessions, cookie, self.idle_expiry),
            providers: self.providers,
            queue: LogoutQueue::new(self.pending_logout_limit),
            unknown_subjects: UnknownSubjects::default(),
            lifetime: self.lifetime.or(sealed.then_some(SEALED_LIFETIME)),
            login_path,
            render_rejection: self.render_rejection,
            hooks: self.hooks,
            live: self.live,
            unanswered: LogLimit::default(),
            site,
        };
        Ok(ClefLayer {
            routes: Arc::new(RoutesState::new(
                auth,
                &self.notice_limits,
                &self.login_limits,
                self.client_address,
                self.render_failure,
                self.sign_out_everywhere,
                after_sign_out,
            )),
        })
    }

    fn site(&self) -> Result<Site, BuildError> {
        let mut site = Site::parse(&self.site)?;
        if self.base_path_stripped {
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
        if let Some(domain) = &self.cookie_domain
            && !site.is_in(domain)
        {
            return Err(BuildError::CookieDomain(domain.clone()));
        }
        Ok(site)
    }

    fn check_limits(&self) -> Result<(), BuildError> {
        if let Some(setting) = self.live_zero {
            return Err(BuildError::Zero(setting));
        }
        for (setting, is_zero) in [
            ("pending_logout_limit", self.pending_logout_limit == 0),
            ("idle_expiry", is_nothing(self.idle_expiry)),
            ("lifetime", self.lifetime.is_some_and(is_nothing)),
            ("notice_limits", self.notice_limits.has_zero()),
            ("login_limits", self.login_limits.has_zero()),
        ] {
            if is_zero {
                return Err(BuildError::Zero(setting));
            }
        }
        Ok(())
    }

    fn check_providers(&self) -> Result<(), BuildError> {
        for (index, mounted) in self.providers.iter().enumerate() {
            let mut earlier = self.providers[..index].iter();
            if let Some(path) = earlier.find_map(|other| other.paths.shared_with(&mounted.paths)) {
                return Err(PathsError::Twice(path.to_owned()).into());
            }
        }
        Ok(())
    }

    /// Where unauthenticated users are sent, as a path in the browser.
    fn login_path(&self, site: &Site) -> Result<String, BuildError> {
        let Some(page) = &self.login_page else {
            let first = self.providers.first().ok_or(BuildError::NoLogin)?;
            return Ok(site.path(first.paths.start()));
        };
        let mut providers = self.providers.iter();
        let is_route = providers.any(|mounted| mounted.paths.contains(page));
        match is_route || !is_page(page) {
            true => Err(BuildError::LoginPage(page.clone())),
            false => Ok(site.path(page)),
        }
    }

    fn page_after_sign_out(&self, site: &Site) -> Result<String, BuildError> {
        let page = self.after_sign_out.as_deref().unwrap_or("/");
        let mut all_paths = self.providers.iter().map(|mounted| &mounted.paths);
        let is_dead_end = all_paths.any(|paths| paths.contains(page) && page != paths.start());
        match is_dead_end || !is_page(page) {
            true => Err(BuildError::AfterSignOut(page.to_owned())),
            false => Ok(site.path(page)),
        }
    }
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
