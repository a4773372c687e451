//! The path to return to after a login.

use super::Site;

/// The longest path, in bytes. It is stored in the cookie of a login attempt, and a browser has
/// several of these cookies.
pub(crate) const LONGEST: usize = 480;

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
        // Browsers remove tabs and line breaks from URLs and read `\` as `/`, so such a path can be
        // another host.
        let safe = next.starts_with('/')
            && !next.starts_with("//")
            && !next
                .chars()
                .any(|character| character.is_control() || character == '\\');
        if !safe {
            return None;
        }
        // Resolved as a browser does. The path of `/.//host` still begins with `//`.
        let url = site.resolve(next)?;
        let mut path = url.path().to_owned();
        if path.starts_with("//") {
            return None;
        }
        for (mark, part) in [('?', url.query()), ('#', url.fragment())] {
            if let Some(part) = part {
                path.push(mark);
                path.push_str(part);
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
