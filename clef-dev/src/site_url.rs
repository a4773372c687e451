use std::fmt;

use url::{Host, Url};

use super::Application;

/// The longest URL taken, in bytes.
const LONGEST: usize = 2048;

/// What a URL must be for [`SiteUrl::parse`], for people.
pub(super) const RULE: &str = "It must be an absolute http or https URL on the domain and port of \
    the application, or for one without a domain on this machine (localhost, a name under \
    .localhost, 127.0.0.0/8 or [::1]), without a user name, a password or a fragment.";

/// An http or https URL of a site.
///
/// Redirects and webhooks go to such URLs only: nobody shall turn a development tool against
/// somebody else.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SiteUrl(Url);

impl SiteUrl {
    /// Reads a URL by the [`RULE`].
    pub(super) fn parse(text: &str, application: &Application) -> Option<Self> {
        // The URL parser drops line breaks and outer spaces silently; a site that sends them has
        // a mistake to find.
        if text.len() > LONGEST || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let fits = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && has_plain_host(&url)
            && application.may_use(&url);
        fits.then_some(Self(url))
    }

    pub(super) fn as_url(&self) -> &Url {
        &self.0
    }

    /// The host, and the port if it is not the scheme's own: the name of the site for people.
    pub(super) fn site(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Whether both lie on the same host and port.
    pub(super) fn same_site(&self, other: &Self) -> bool {
        self.0.host() == other.0.host()
            && self.0.port_or_known_default() == other.0.port_or_known_default()
    }

    /// Scheme, host and port, as a browser writes them.
    pub(super) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// This URL with these parameters in place of its own of the same names. The others stay as
    /// they are, byte for byte.
    pub(super) fn with(&self, parameters: &[(&str, &str)]) -> Url {
        let replaced = |parameter: &str| {
            url::form_urlencoded::parse(parameter.as_bytes())
                .next()
                .is_some_and(|(name, _)| parameters.iter().any(|(own, _)| *own == name))
        };
        let kept: Vec<&str> = self
            .0
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|parameter| !parameter.is_empty() && !replaced(parameter))
            .collect();

        let mut url = self.0.clone();
        url.set_query(
            Some(&kept.join("&"))
                .filter(|query| !query.is_empty())
                .map(String::as_str),
        );
        url.query_pairs_mut().extend_pairs(parameters);
        url
    }
}

impl fmt::Display for SiteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether the host is made of what names of hosts are made of. The URL parser lets `*` and `;`
/// pass, which mean something else in the policies that name this host.
fn has_plain_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<SiteUrl> {
        SiteUrl::parse(text, &Application::new("id", "secret"))
    }

    fn url(text: &str) -> SiteUrl {
        parse(text).unwrap_or_else(|| panic!("{text} was refused"))
    }

    #[test]
    fn loopback_is_taken() {
        for text in [
            "http://localhost",
            "https://localhost:8443/clef/callback?a=b",
            "http://shop.localhost:3000/",
            "http://LOCALHOST/",
            "http://127.0.0.1:3000/",
            "http://127.8.9.10/",
            "http://[::1]:3000/",
        ] {
            url(text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "/clef/callback",
            "localhost:3000/x",
            "//localhost/x",
            "ftp://localhost/",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://example.com/",
            "http://localhost.example.com/",
            "http://notlocalhost/",
            "http://localhost./",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://user@localhost/",
            "http://:password@localhost/",
            "http://localhost@example.com/",
            "http://localhost/#",
            "http://localhost/#top",
            " http://localhost/",
            "http://localhost/a b",
            "http://local\nhost/",
        ] {
            assert!(parse(text).is_none(), "{text} was taken");
        }
        let long = format!("http://localhost/{}", "a".repeat(LONGEST));
        assert!(parse(&long).is_none());
    }

    #[test]
    fn a_site_is_a_host_and_a_port() {
        let site = url("http://localhost:3000/clef/callback");
        assert!(site.same_site(&url(
            "http://localhost:3000/elsewhere?a#".trim_end_matches('#')
        )));
        assert!(!site.same_site(&url("http://localhost:3001/clef/callback")));
        assert!(!site.same_site(&url("http://127.0.0.1:3000/clef/callback")));
        assert!(url("http://localhost").same_site(&url("http://localhost:80/")));
        assert_eq!(site.site(), "localhost:3000");
        assert_eq!(url("http://[::1]/").site(), "[::1]");
    }

    #[test]
    fn an_application_with_a_domain_stays_on_it() {
        let application = Application::new("id", "secret").on("shop.example:8080");
        assert!(SiteUrl::parse("http://shop.example:8080/cb", &application).is_some());
        assert!(SiteUrl::parse("http://localhost:8080/cb", &application).is_none());
    }

    #[test]
    fn parameters_of_the_site_are_kept() {
        let answer =
            |text: &str, parameters: &[(&str, &str)]| url(text).with(parameters).to_string();
        assert_eq!(
            answer("http://localhost/cb", &[("code", "c")]),
            "http://localhost/cb?code=c"
        );
        assert_eq!(
            answer("http://localhost/cb?", &[("code", "c"), ("state", "s")]),
            "http://localhost/cb?code=c&state=s"
        );
        assert_eq!(
            answer(
                "http://localhost/cb?next=%2Fa%20b&flag&next=+",
                &[("code", "c"), ("state", "a&b=ü")]
            ),
            "http://localhost/cb?next=%2Fa%20b&flag&next=+&code=c&state=a%26b%3D%C3%BC"
        );
    }

    #[test]
    fn parameters_named_alike_are_replaced() {
        let answer =
            |text: &str, parameters: &[(&str, &str)]| url(text).with(parameters).to_string();
        assert_eq!(
            answer(
                "http://localhost/cb?code=old&a=b&st%61te=old",
                &[("code", "c"), ("state", "s")]
            ),
            "http://localhost/cb?a=b&code=c&state=s"
        );
        // Without a state of our own, the parameter belongs to the site.
        assert_eq!(
            answer("http://localhost/cb?state=mine&code=old", &[("code", "c")]),
            "http://localhost/cb?state=mine&code=c"
        );
        assert_eq!(
            answer(
                "http://localhost/cb?codec=1",
                &[("code", "c"), ("state", "")]
            ),
            "http://localhost/cb?codec=1&code=c&state="
        );
    }
}
