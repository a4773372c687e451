//! The cookie of a login.

use std::time::Duration;

use cookie::Cookie;

use crate::site::Site;

/// As long as browsers keep any cookie. The record says when a login ends.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// How long a browser keeps the cookie of a login that has ended: the clock of the browser may
/// differ from that of the user store.
const MARGIN: Duration = Duration::from_secs(60 * 60);

/// Makes the cookies of logins.
#[derive(Clone, Debug)]
pub(crate) struct LoginCookie {
    site: Site,
    domain: Option<String>,
    name: String,
    idle_name: String,
}

impl LoginCookie {
    pub(crate) fn new(site: &Site, domain: Option<&str>) -> Self {
        Self {
            name: site.cookie_name("", domain),
            idle_name: site.cookie_name("-idle", domain),
            domain: domain.map(str::to_owned),
            site: site.clone(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn idle_name(&self) -> &str {
        &self.idle_name
    }

    /// The domain that shares logins, or the origin of the site: what tells its logins from those
    /// of another site over the same store or key.
    pub(super) fn scope(&self) -> String {
        match &self.domain {
            Some(domain) => domain.clone(),
            None => self.site.origin().to_owned(),
        }
    }

    /// The cookie of a login that ends after so long, if it has an end.
    pub(super) fn login(&self, value: String, ends_in: Option<Duration>) -> Cookie<'static> {
        let max_age = ends_in.map_or(LONGEST, |ends_in| {
            ends_in.saturating_add(MARGIN).min(LONGEST)
        });
        self.cookie(&self.name, value, max_age)
    }

    /// The cookie with the idle time of a sealed login.
    pub(super) fn idle(&self, value: String, idle: Duration) -> Cookie<'static> {
        self.cookie(
            &self.idle_name,
            value,
            idle.saturating_add(MARGIN).min(LONGEST),
        )
    }

    /// What removes the cookies of a login from the browser.
    pub(super) fn removals(&self, sealed: bool) -> Vec<Cookie<'static>> {
        let names = [Some(&self.name), sealed.then_some(&self.idle_name)];
        let removal = |name: &String| self.cookie(name, String::new(), Duration::ZERO);
        names.into_iter().flatten().map(removal).collect()
    }

    fn cookie(&self, name: &str, value: String, max_age: Duration) -> Cookie<'static> {
        let mut cookie = self.site.cookie(name.to_owned(), value, max_age);
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        cookie
    }
}
