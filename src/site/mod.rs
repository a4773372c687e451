//! The site that users log in to: its address, its routes and its cookies.

mod paths;
mod return_path;

use cookie::{Cookie, SameSite, time::Duration};
use http::HeaderValue;
use url::{Host, Url};

#[cfg(feature = "live")]
pub(crate) use self::paths::LivePaths;
pub(crate) use self::paths::check as check_paths;
pub use self::paths::{Paths, PathsError};
#[cfg(test)]
pub(crate) use self::return_path::LONGEST as LONGEST_RETURN_PATH;
pub(crate) use self::return_path::ReturnPath;
use crate::address::{self, AddressError};

/// The default name of the cookies.
const COOKIE: &str = "auth";

/// The origin and the base path of a site, and the name of its cookies.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    origin: Url,
    ascii_origin: String,
    /// The base path, without a trailing slash: `""` or `"/app"`.
    base: String,
    /// Whether a reverse proxy strips the base path from requests.
    stripped: bool,
    cookie: String,
    /// The other origins whose pages may send what this site's may.
    trusted_origins: Vec<String>,
}

impl Site {
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let mut origin = address::base_url(text)?;
        let base = origin.path().trim_end_matches('/').to_owned();
        // A path that begins with `//` is another host.
        if base.contains("//") {
            return Err(AddressError::EmptySegment);
        }
        origin.set_path("/");
        Ok(Self {
            ascii_origin: origin.origin().ascii_serialization(),
            origin,
            base,
            stripped: false,
            cookie: COOKIE.to_owned(),
            trusted_origins: Vec::new(),
        })
    }

    /// Sets the name of the cookies.
    pub(crate) fn with_cookie(mut self, name: String) -> Self {
        self.cookie = name;
        self
    }

    /// Trusts the pages of another origin. `None` if it is no origin, or one whose pages send no
    /// cookie to this site or are trusted already.
    pub(crate) fn with_trusted_origin(mut self, text: &str) -> Option<Self> {
        let url = address::base_url(text).ok()?;
        let origin = url.origin().ascii_serialization();
        let is_new = origin != self.ascii_origin && !self.trusted_origins.contains(&origin);
        // A host may have a `*` by the rules of URLs, and no page has such an origin.
        let is_one = url.path() == "/" && !origin.contains('*');
        if !is_one || !is_new || !is_same_site(&url, &self.origin) {
            return None;
        }
        self.trusted_origins.push(origin);
        Some(self)
    }

    /// Expects requests without the base path, as behind a proxy that strips it.
    pub(crate) fn with_stripped_base(mut self) -> Self {
        self.stripped = true;
        self
    }

    /// The absolute URL of a path relative to the base path.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.origin.clone();
        url.set_path(&self.path(path));
        url
    }

    /// The path in the browser for a path relative to the base path.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Whether the site has a base path.
    pub(crate) fn has_base(&self) -> bool {
        !self.base.is_empty()
    }

    /// The relative path for a path in the browser; `None` if it is outside of the base path.
    pub(crate) fn below_base<'a>(&self, path: &'a str) -> Option<&'a str> {
        match path.strip_prefix(&self.base) {
            Some("") if !self.base.is_empty() => Some("/"),
            Some(below) if below.starts_with('/') => Some(below),
            _ => None,
        }
    }

    /// Whether the path of a request is outside of the base path. `*`, which any client can ask for,
    /// is no path (RFC 9112, section 3.2.4).
    pub(crate) fn is_outside(&self, path: &str) -> bool {
        !self.stripped && path.starts_with('/') && self.below_base(path).is_none()
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The path in the browser for the path of a request.
    pub(crate) fn arrived(&self, path: &str) -> String {
        match self.stripped {
            true => self.path(path),
            false => path.to_owned(),
        }
    }

    /// The origin as in the `Origin` header.
    pub(crate) fn origin(&self) -> &str {
        &self.ascii_origin
    }

    /// Whether a page of another origin is trusted, by its `Origin` header.
    pub(crate) fn trusts(&self, origin: &HeaderValue) -> bool {
        self.trusted_origins.iter().any(|trusted| origin == trusted)
    }

    /// What to write if this is an address of the site under another name of this machine, such as
    /// `localhost` for `127.0.0.1`. Cookies and forms of one do not count at the other.
    pub(crate) fn other_name(&self, origin: &str) -> Option<String> {
        let other = Url::parse(origin).ok()?;
        let port = Url::port_or_known_default;
        let is_here = address::is_loopback(&self.origin) && address::is_loopback(&other);
        let is_other = other.host() != self.origin.host();
        let fits = other.scheme() == self.origin.scheme() && port(&other) == port(&self.origin);
        (is_here && is_other && fits).then(|| {
            let (other, own) = (other.origin().ascii_serialization(), &self.ascii_origin);
            format!(
                "the browser shows {other}, and the site is {own}: open {own}{base}/, or write \
                 `ClefLayer::builder(\"{other}{base}\", …)`",
                base = self.base
            )
        })
    }

    /// Whether the host is this domain or a subdomain of it. Browsers refuse the cookies of a
    /// top-level domain, and share those of an address with no other host.
    pub(crate) fn is_in(&self, domain: &str) -> bool {
        let Some(Host::Domain(host)) = self.origin.host() else {
            return false;
        };
        let is_top_level = !domain.trim_end_matches('.').contains('.');
        let below = host.strip_suffix(domain);
        !is_top_level && below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }

    /// Resolves a reference as a browser does; `None` if it leads to another origin.
    pub(crate) fn resolve(&self, reference: &str) -> Option<Url> {
        let url = self.origin.join(reference).ok()?;
        (url.origin() == self.origin.origin()).then_some(url)
    }

    /// Whether the site uses https, so that cookies can be `Secure`.
    pub(crate) fn is_secure(&self) -> bool {
        self.origin.scheme() == "https"
    }

    /// The full name of a cookie. With https, a prefix makes browsers reject cookies that other
    /// hosts or plain connections set (RFC 6265bis, section 4.1.3). On loopback, the name has the
    /// port, since browsers share cookies between ports.
    pub(crate) fn cookie_name(&self, suffix: &str, domain: Option<&str>) -> String {
        let name = &self.cookie;
        match (self.is_secure(), domain) {
            (true, None) => format!("__Host-{name}{suffix}"),
            (true, Some(_)) => format!("__Secure-{name}{suffix}"),
            (false, _) => {
                let port = self.origin.port_or_known_default().unwrap_or_default();
                format!("{name}-{port}{suffix}")
            }
        }
    }

    /// Creates a cookie that scripts cannot read. It is `Lax`, not `Strict`, so that a redirect
    /// from the provider carries it.
    pub(crate) fn cookie(
        &self,
        name: String,
        value: String,
        max_age: std::time::Duration,
    ) -> Cookie<'static> {
        Cookie::build((name, value))
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.is_secure())
            .path("/")
            .max_age(Duration::try_from(max_age).unwrap_or(Duration::MAX))
            .build()
    }

    /// Creates the cookie that removes another. Browsers require the same attributes for a name
    /// with a prefix.
    pub(crate) fn removal(&self, name: String) -> Cookie<'static> {
        self.cookie(name, String::new(), std::time::Duration::ZERO)
    }
}

/// Whether browsers may send cookies that are `SameSite=Lax` from a page of one origin to the
/// other: they have one scheme, and one host or two hosts of one domain. Of the domains under which
/// the public can register names, only top-level domains are known here.
fn is_same_site(page: &Url, site: &Url) -> bool {
    fn domain(name: &str) -> Option<&str> {
        let parent = name.rfind('.')?;
        Some(&name[name[..parent].rfind('.').map_or(0, |dot| dot + 1)..])
    }
    let hosts = match (page.host(), site.host()) {
        (Some(Host::Domain(page)), Some(Host::Domain(site))) if page != site => {
            domain(page).is_some_and(|shared| domain(site) == Some(shared))
        }
        (page, site) => page == site,
    };
    hosts && page.scheme() == site.scheme()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(address: &str) -> Site {
        Site::parse(address).unwrap()
    }

    #[test]
    fn a_site_may_be_below_a_path() {
        for (address, path, url) in [
            ("https://example.com", "/a", "https://example.com/a"),
            ("https://example.com/", "/a", "https://example.com/a"),
            (
                "https://example.com/app",
                "/app/a",
                "https://example.com/app/a",
            ),
            (
                "https://example.com/app/",
                "/app/a",
                "https://example.com/app/a",
            ),
        ] {
            assert_eq!(site(address).path("/a"), path, "{address}");
            assert_eq!(site(address).url("/a").as_str(), url, "{address}");
        }
        let app = site("https://example.com/app");
        assert_eq!(app.below_base("/app/a"), Some("/a"));
        assert_eq!(app.below_base("/app"), Some("/"));
        assert_eq!(app.below_base("/application"), None);
        assert_eq!(app.below_base("/"), None);
        assert_eq!(app.arrived("/app/a"), "/app/a");
        assert_eq!(app.with_stripped_base().arrived("/a"), "/app/a");
        assert_eq!(site("https://example.com").below_base("/a"), Some("/a"));
    }

    #[test]
    fn cookie_names_keep_sites_apart() {
        let https = site("https://example.com");
        assert_eq!(https.cookie_name("", None), "__Host-auth");
        assert_eq!(https.cookie_name("-idle", None), "__Host-auth-idle");
        assert_eq!(https.cookie_name("", Some("example.com")), "__Secure-auth");
        let named = https.with_cookie("shop".to_owned());
        assert_eq!(named.cookie_name("", None), "__Host-shop");
        assert_eq!(
            site("http://127.0.0.1:3000").cookie_name("", None),
            "auth-3000"
        );
    }

    #[test]
    fn a_site_is_in_its_own_domains() {
        let shop = site("https://shop.example.com");
        for domain in ["shop.example.com", "example.com"] {
            assert!(shop.is_in(domain), "{domain}");
        }
        for domain in ["example.org", "hop.example.com", "a.shop.example.com"] {
            assert!(!shop.is_in(domain), "{domain}");
        }
        assert!(!shop.is_in("com"), "no browser takes it");
        let dotted = site("https://example.com.");
        for domain in ["", ".", "com."] {
            assert!(!dotted.is_in(domain), "{domain}");
        }
        assert!(!site("https://localhost").is_in("localhost"));
        let address = site("https://192.0.2.1");
        for domain in ["192.0.2.1", "2.1"] {
            assert!(!address.is_in(domain), "an address has no domains");
        }
    }
}
