use std::{fmt, net::SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The longest URL taken, in bytes.
const LONGEST: usize = 2048;

/// What a URL must be for [`LoopbackUrl::parse`], for people.
pub(super) const RULE: &str = "It must be an absolute http or https URL on this machine \
    (localhost, a name under .localhost, 127.0.0.0/8 or [::1]), without a user name, \
    a password or a fragment.";

/// An http or https URL that leads to this machine.
///
/// Redirects and webhooks go to such URLs only: nobody shall turn a development tool against
/// somebody else.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct LoopbackUrl(Url);

impl LoopbackUrl {
    /// Reads a URL by the [`RULE`].
    pub(super) fn parse(text: &str) -> Option<Self> {
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
            && url.host().is_some_and(|host| is_loopback(&host));
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

    /// This URL with `code`, and `state` if there is one, in place of its own parameters of these
    /// names. The other parameters stay as they are, byte for byte.
    pub(super) fn with_answer(&self, code: &str, state: Option<&str>) -> Url {
        let replaced = |parameter: &str| {
            url::form_urlencoded::parse(parameter.as_bytes())
                .next()
                .is_some_and(|(name, _)| name == "code" || (name == "state" && state.is_some()))
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
        url.query_pairs_mut()
            .append_pair("code", code)
            .extend_pairs(state.map(|state| ("state", state)));
        url
    }
}

impl fmt::Display for LoopbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Resolves every name to this machine. Only names at and under `localhost` get here, and what a
/// name server says about those must not matter.
pub(super) struct LoopbackResolver;

impl Resolve for LoopbackResolver {
    fn resolve(&self, _: Name) -> Resolving {
        // Port 0 stands for the port of the URL.
        let addresses: Addrs = Box::new(
            [
                SocketAddr::from(([127, 0, 0, 1], 0)),
                SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0)),
            ]
            .into_iter(),
        );
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> LoopbackUrl {
        LoopbackUrl::parse(text).unwrap_or_else(|| panic!("{text} was refused"))
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
            assert!(LoopbackUrl::parse(text).is_none(), "{text} was taken");
        }
        let long = format!("http://localhost/{}", "a".repeat(LONGEST));
        assert!(LoopbackUrl::parse(&long).is_none());
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
    fn the_answer_keeps_the_parameters_of_the_site() {
        let answer = |text: &str, state| url(text).with_answer("c", state).to_string();
        assert_eq!(
            answer("http://localhost/cb", None),
            "http://localhost/cb?code=c"
        );
        assert_eq!(
            answer("http://localhost/cb?", Some("s")),
            "http://localhost/cb?code=c&state=s"
        );
        assert_eq!(
            answer(
                "http://localhost/cb?next=%2Fa%20b&flag&next=+",
                Some("a&b=ü")
            ),
            "http://localhost/cb?next=%2Fa%20b&flag&next=+&code=c&state=a%26b%3D%C3%BC"
        );
    }

    #[test]
    fn the_answer_replaces_what_is_named_alike() {
        let answer = |text: &str, state| url(text).with_answer("c", state).to_string();
        assert_eq!(
            answer("http://localhost/cb?code=old&a=b&st%61te=old", Some("s")),
            "http://localhost/cb?a=b&code=c&state=s"
        );
        // Without a state of our own, the parameter belongs to the site.
        assert_eq!(
            answer("http://localhost/cb?state=mine&code=old", None),
            "http://localhost/cb?state=mine&code=c"
        );
        assert_eq!(
            answer("http://localhost/cb?codec=1", Some("")),
            "http://localhost/cb?codec=1&code=c&state="
        );
    }
}
