//! The cookies of a login.

use std::time::Duration;

use cookie::Cookie;

use crate::site::Site;

/// The most that browsers keep of a cookie, name and value together, in bytes (RFC 6265bis,
/// section 5.6). They drop a larger one without an error.
pub(super) const LARGEST_COOKIE: usize = 4_096;
/// The longest time for which browsers keep a cookie.
pub(crate) const LONGEST_COOKIE: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// How much longer than the login its cookie and its record are kept: the clocks of the browser
/// and of the session store may differ from the clock of the user store, which decides.
pub(super) const CLOCK_MARGIN: Duration = Duration::from_secs(60 * 60);

/// Makes the cookies of logins.
#[derive(Clone, Debug)]
pub(crate) struct LoginCookie {
    site: Site,
    domain: Option<String>,
    name: String,
    activity_name: String,
    login_context: String,
    activity_context: String,
}

impl LoginCookie {
    /// The cookie of a login.
    pub(crate) fn new(site: &Site, domain: Option<&str>) -> Self {
        Self::with_purpose("login", "", site, domain)
    }

    /// The cookie of a login that waits for a further step, such as a one-time code.
    pub(crate) fn suspended(site: &Site) -> Self {
        Self::with_purpose("suspended", "-suspended", site, None)
    }

    fn with_purpose(purpose: &str, suffix: &str, site: &Site, domain: Option<&str>) -> Self {
        let name = site.cookie_name(suffix, domain);
        Self {
            login_context: context(purpose, site, domain, &name),
            activity_context: context("activity", site, domain, &name),
            name,
            activity_name: site.cookie_name(&format!("{suffix}-idle"), domain),
            domain: domain.map(str::to_owned),
            site: site.clone(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn activity_name(&self) -> &str {
        &self.activity_name
    }

    /// Distinguishes a login from a token, and from the logins of another site or layer over the same
    /// store or key: its purpose, the address of the site or the domain that shares logins, and the
    /// name of the cookie. None of them contains a space.
    pub(super) fn login_context(&self) -> &str {
        &self.login_context
    }

    /// The same for the bearer tokens of the layer.
    pub(crate) fn token_context(&self) -> String {
        context("token", &self.site, self.domain.as_deref(), &self.name)
    }

    /// The same for the activity cookie of a sealed login.
    pub(super) fn activity_context(&self) -> &str {
        &self.activity_context
    }

    /// The cookie of a login, with the time until its end, if it has one. The browser drops it at
    /// the end of its session unless it is to `remember` the login.
    pub(super) fn login(
        &self,
        value: String,
        ends_in: Option<Duration>,
        remember: bool,
    ) -> Cookie<'static> {
        let max_age = ends_in.map_or(LONGEST_COOKIE, |ends_in| {
            ends_in.saturating_add(CLOCK_MARGIN).min(LONGEST_COOKIE)
        });
        let mut cookie = self.cookie(&self.name, value, max_age);
        if !remember {
            cookie.set_max_age(None);
        }
        cookie
    }

    /// The activity cookie of a sealed login.
    pub(super) fn activity(&self, value: String, idle: Duration) -> Cookie<'static> {
        self.cookie(
            &self.activity_name,
            value,
            idle.saturating_add(CLOCK_MARGIN).min(LONGEST_COOKIE),
        )
    }

    /// The cookies that remove a login from the browser.
    pub(super) fn removals(&self, sealed: bool) -> Vec<Cookie<'static>> {
        let names = [Some(&self.name), sealed.then_some(&self.activity_name)];
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

fn context(purpose: &str, site: &Site, domain: Option<&str>, name: &str) -> String {
    match domain {
        Some(domain) => format!("{purpose} {domain} {name}"),
        None => format!("{purpose} {}{} {name}", site.origin(), site.base()),
    }
}
