//! The site that people log in to: its address, and how its cookies are made.

use cookie::{Cookie, SameSite, time::Duration};
use url::Url;

use crate::address::{self, AddressError};

/// A site, by its origin.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    origin: Url,
}

impl Site {
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let origin = address::base_url(text)?;
        if origin.path() == "/" {
            Ok(Self { origin })
        } else {
            Err(AddressError::HasPath)
        }
    }

    /// The address of a path of this site, as others reach it.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.origin.clone();
        url.set_path(path);
        url
    }

    /// The origin as browsers write it in `Origin`.
    pub(crate) fn origin(&self) -> String {
        self.origin.origin().ascii_serialization()
    }

    /// What a path and query that the site was asked for look like once a browser has
    /// resolved them here; `None` if they would lead elsewhere.
    pub(crate) fn resolve(&self, reference: &str) -> Option<Url> {
        let url = self.origin.join(reference).ok()?;
        (url.origin() == self.origin.origin()).then_some(url)
    }

    /// Whether the cookies can be kept to encrypted connections.
    pub(crate) fn is_secure(&self) -> bool {
        self.origin.scheme() == "https"
    }

    /// The name of a cookie. With https its prefix makes browsers refuse one that
    /// another host or a plain connection would plant (RFC 6265bis, section 4.1.3).
    /// Without, on this machine, it carries the port: browsers do not keep the cookies
    /// of two ports apart, and two sites under development would overwrite each other's.
    pub(crate) fn cookie_name(&self, purpose: &str, domain: Option<&str>) -> String {
        match (self.is_secure(), domain) {
            (true, None) => format!("__Host-clef-{purpose}"),
            (true, Some(_)) => format!("__Secure-clef-{purpose}"),
            (false, _) => {
                let port = self.origin.port_or_known_default().unwrap_or_default();
                format!("clef-{purpose}-{port}")
            }
        }
    }

    /// A cookie that scripts cannot read. `Lax` and not `Strict`: whoever comes back from
    /// the provider comes from another site.
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

    /// What makes a browser forget a cookie. It repeats the attributes, or a browser
    /// would refuse it for a name with a prefix.
    pub(crate) fn removal(&self, name: String) -> Cookie<'static> {
        self.cookie(name, String::new(), std::time::Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_an_origin() {
        assert!(Site::parse("https://example.com").is_ok());
        assert!(Site::parse("https://example.com/").is_ok());
        assert_eq!(
            Site::parse("https://example.com/app").err(),
            Some(AddressError::HasPath)
        );
    }

    #[test]
    fn cookie_names_keep_sites_apart() {
        let site = Site::parse("https://example.com").unwrap();
        assert_eq!(site.cookie_name("session", None), "__Host-clef-session");
        assert_eq!(
            site.cookie_name("session", Some("example.com")),
            "__Secure-clef-session"
        );
        let site = Site::parse("http://127.0.0.1:3000").unwrap();
        assert_eq!(site.cookie_name("session", None), "clef-session-3000");
    }
}
