use std::{borrow::Cow, fmt};

use url::{Host, Url};

use super::loopback;

/// An application that the [`ClefService`](super::ClefService) knows: what a site that offers the
/// login is configured with.
///
/// `Debug` leaves the secret out, as it would for a real one.
///
/// ```
/// use clef_dev::Application;
///
/// let shop = Application::new("shop", "a secret").on("shop.localhost:3000");
/// assert_eq!(shop.domain(), Some("shop.localhost:3000"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Application {
    id: Cow<'static, str>,
    secret: Cow<'static, str>,
    domain: Option<Cow<'static, str>>,
}

impl Application {
    /// An application for any site on this machine. The ids and secrets of Clef were 32 lower-case
    /// hex digits; here any text will do.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: Cow::Owned(id.into()),
            secret: Cow::Owned(secret.into()),
            domain: None,
        }
    }

    /// Keeps the redirect URLs and logout hooks of the application to one host and port, as Clef
    /// did: `shop.localhost:3000`, or without a port for the one of the scheme. The host may be
    /// another machine; without a domain, only this machine is allowed.
    #[must_use]
    pub fn on(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(Cow::Owned(domain.into()));
        self
    }

    /// What the site shows to everybody, in the address of the login page.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the site proves itself with when it exchanges a code or a logout token.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The host and port that everything of the application lies on, if it is kept to one.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Whether the application may send people and have its webhook there.
    pub(super) fn may_use(&self, url: &Url) -> bool {
        let Some(domain) = self.domain() else {
            return url.host().is_some_and(|host| loopback::is_loopback(&host));
        };
        Url::parse(&format!("{}://{domain}", url.scheme())).is_ok_and(|own| {
            own.host() == url.host() && own.port_or_known_default() == url.port_or_known_default()
        })
    }

    /// What is wrong with the application, for whoever registers it.
    pub(super) fn fault(&self) -> Option<String> {
        if self.id.is_empty() || self.secret.is_empty() {
            return Some("An application needs an id and a secret; one of them is empty.".into());
        }
        let domain = self.domain()?;
        let bare = Url::parse(&format!("http://{domain}")).is_ok_and(|url| {
            matches!(url.host(), Some(host) if host != Host::Domain(""))
                && url.username().is_empty()
                && url.password().is_none()
                && url.path() == "/"
                && !domain.ends_with('/')
                && url.query().is_none()
                && url.fragment().is_none()
        });
        (!bare).then(|| {
            format!(
                "The domain {domain:?} of application {:?} is not a host with or without a port. \
                 Write it like \"localhost:3000\".",
                self.id
            )
        })
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("id", &self.id)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// The two applications that exist from the start, for any site on this machine.
///
/// Clef published both with its own libraries, secrets included, so that people could test
/// against them. They open nothing but this service.
pub static TEST_APPLICATIONS: [Application; 2] = [
    published(
        "4f318ac177a9391c2e0d221203725ffd",
        "2125d80f4583c52c46f8084bcc030c9b",
    ),
    published(
        "da242b09262a021a8dbbee5b6346f750",
        "5e18dbf4e817f0608a56b470537b22c2",
    ),
];

const fn published(id: &'static str, secret: &'static str) -> Application {
    Application {
        id: Cow::Borrowed(id),
        secret: Cow::Borrowed(secret),
        domain: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_keeps_the_secret() {
        for application in &TEST_APPLICATIONS {
            let shown = format!("{application:?}");
            assert!(shown.contains(application.id()));
            assert!(!shown.contains(application.secret()));
        }
    }

    #[test]
    fn a_domain_is_a_host_and_a_port() {
        let may_use = |domain: &str, url: &str| {
            let application = Application::new("id", "secret").on(domain);
            application.may_use(&Url::parse(url).unwrap())
        };
        assert!(may_use("shop.example:8080", "http://shop.example:8080/a"));
        assert!(may_use("SHOP.example:8080", "https://shop.example:8080/"));
        assert!(may_use("shop.example", "http://shop.example/"));
        assert!(may_use("shop.example", "https://shop.example/"));
        assert!(!may_use("shop.example:8080", "http://shop.example/"));
        assert!(!may_use("shop.example", "http://a.shop.example/"));
        assert!(!may_use("shop.example", "http://localhost/"));
        assert!(!may_use("localhost:3000", "http://127.0.0.1:3000/"));
    }

    #[test]
    fn a_bad_domain_is_explained() {
        let fault = |domain: &str| Application::new("id", "secret").on(domain).fault();
        for domain in ["localhost:3000", "shop.example", "[::1]:3000", "127.0.0.1"] {
            assert_eq!(fault(domain), None);
        }
        for domain in [
            "", ":3000", "a/", "a/b", "a?b", "a#b", "u@a", "a:x", "http://a",
        ] {
            assert!(
                fault(domain).is_some_and(|text| text.contains("localhost:3000")),
                "{domain}"
            );
        }
        assert!(Application::new("", "secret").fault().is_some());
        assert!(Application::new("id", "").fault().is_some());
    }
}
