//! The path to return to after a login.

use url::Url;

use super::Site;

/// The longest path, in bytes. It is stored in the cookie of a login attempt, and a browser has
/// several of these cookies.
pub(crate) const LONGEST: usize = 384;

/// A path on this site, with a query and a fragment, that no browser reads as another site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReturnPath(String);

impl ReturnPath {
    /// The front page of the site.
    pub(crate) fn front(site: &Site) -> Self {
        Self(site.path("/"))
    }

    /// Whether this is the front page of the site.
    pub(crate) fn is_front(&self, site: &Site) -> bool {
        *self == Self::front(site)
    }

    /// Parses `next`, which must be a path of this origin. A path that is too long or outside of
    /// the site is replaced by the front page.
    pub(crate) fn parse(site: &Site, next: &str) -> Option<Self> {
        // Browsers remove tabs and line breaks from URLs, so such a path can be another host.
        let safe =
            next.starts_with('/') && !next.starts_with("//") && !next.chars().any(char::is_control);
        if !safe {
            return None;
        }
        // Resolved as a browser does, which reads `\` as `/` before a query.
        Self::from_url(site, &site.resolve(next)?)
    }

    /// Parses what the guard redirects with: any path of this site. Those that a browser would read
    /// as another site, such as `//account`, are replaced by the front page. `None` if it is no path.
    pub(crate) fn normalize(site: &Site, next: &str) -> Option<Self> {
        let is_path = next.starts_with('/');
        is_path.then(|| Self::parse(site, next).unwrap_or_else(|| Self::front(site)))
    }

    /// The page of this site that a `Referer` names.
    pub(crate) fn of_referer(site: &Site, referer: &str) -> Option<Self> {
        let url = Url::parse(referer).ok()?;
        site.below_base(url.path())?;
        Self::from_url(site, &site.resolve(url.as_str())?)
    }

    fn from_url(site: &Site, url: &Url) -> Option<Self> {
        let mut path = url.path().to_owned();
        // The path of `/.//host` still begins with `//`.
        if path.starts_with("//") {
            return None;
        }
        for (mark, part) in [('?', url.query()), ('#', url.fragment())] {
            if let Some(part) = part {
                path.push(mark);
                path.push_str(&part.replace('\\', "%5C"));
            }
        }
        if path.len() > LONGEST || site.below_base(url.path()).is_none() {
            return Some(Self::front(site));
        }
        Some(Self(path))
    }

    /// The path without a query and a fragment.
    pub(crate) fn path(&self) -> &str {
        self.0.split(['?', '#']).next().unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(next: &str) -> Option<String> {
        let site = Site::parse("https://example.com").unwrap();
        ReturnPath::parse(&site, next).map(|path| path.0)
    }

    #[test]
    fn a_path_on_this_site_is_kept() {
        assert_eq!(parse("/"), Some("/".to_owned()));
        assert_eq!(
            parse("/account?tab=1&q=a%20b#top"),
            Some("/account?tab=1&q=a%20b#top".to_owned())
        );
        assert_eq!(
            parse("/?url=https://evil.example"),
            Some("/?url=https://evil.example".to_owned())
        );
        assert_eq!(parse("/a/../b"), Some("/b".to_owned()));
        assert_eq!(parse("/caf\u{e9}"), Some("/caf%C3%A9".to_owned()));
        assert_eq!(
            parse(&format!("/{}", "x".repeat(LONGEST))),
            Some("/".to_owned())
        );
        let longest = format!("/{}", "x".repeat(LONGEST - 1));
        assert_eq!(parse(&longest), Some(longest));
    }

    proptest! {
        // Without a file of past failures.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The callback parses the path again, which must not change it.
        #[test]
        fn a_parsed_path_parses_to_itself(next in "/[a-z/.%2e?#;=&|'\"<>{}^` \u{e9}\u{1f30a}]{0,40}") {
            if let Some(path) = parse(&next) {
                prop_assert_eq!(parse(&path), Some(path));
            }
        }
    }

    #[test]
    fn what_the_guard_redirects_with_is_always_a_path_of_this_site() {
        let site = Site::parse("https://example.com").unwrap();
        for (next, path) in [
            ("/search?q=a\\b", Some("/search?q=a%5Cb")),
            (
                "/search?q=\\\\evil.example",
                Some("/search?q=%5C%5Cevil.example"),
            ),
            ("/a\\b", Some("/a/b")),
            ("/a%5Cb", Some("/a%5Cb")),
            ("/account#\\", Some("/account#%5C")),
            ("//account", Some("/")),
            ("//evil.example/account", Some("/")),
            ("/\\evil.example", Some("/")),
            ("/a/..//account", Some("/")),
            ("/\u{0}", Some("/")),
            ("/\r\nSet-Cookie: a=b", Some("/")),
            ("/a?b=\"<>{}|^`", Some("/a?b=%22%3C%3E{}|^`")),
            ("https://evil.example/", None),
            ("account", None),
            ("", None),
        ] {
            let normalized = ReturnPath::normalize(&site, next);
            let normalized = normalized.as_ref().map(ReturnPath::as_str);
            assert_eq!(normalized, path, "{next:?}");
            if let Some(path) = path {
                assert_eq!(parse(path).as_deref(), Some(path), "it stays as it is");
            }
        }
    }

    #[test]
    fn a_referer_counts_if_it_is_a_page_of_this_site() {
        let site = Site::parse("https://example.com/app").unwrap();
        for (referer, path) in [
            (
                "https://example.com/app/list?page=2",
                Some("/app/list?page=2"),
            ),
            ("https://example.com:443/app", Some("/app")),
            ("https://example.com/other", None),
            ("https://example.com/", None),
            ("http://example.com/app/list", None),
            ("https://example.com.evil.example/app/list", None),
            ("https://user@example.com/app/list", Some("/app/list")),
            ("/app/list", None),
            ("", None),
        ] {
            let page = ReturnPath::of_referer(&site, referer);
            assert_eq!(page.as_ref().map(ReturnPath::as_str), path, "{referer}");
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_not() {
        for next in [
            "",
            "account",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "/\u{0}",
            "/\u{85}/evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "@evil.example",
        ] {
            assert_eq!(parse(next), None, "{next:?}");
        }
    }
}
