//! Where a login leads back to.

use crate::site::Site;

/// The longest path that is kept, in bytes. It travels in the cookie of an attempt, and a browser
/// holds several of them.
pub(super) const LONGEST: usize = 480;

/// A path on this site, with query and fragment. Nothing that a browser could read as
/// another site passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReturnPath(String);

impl ReturnPath {
    /// The front page.
    pub(super) fn front() -> Self {
        Self("/".to_owned())
    }

    /// Takes `next`, if it is a path on this site. One too long to be kept leads to the
    /// front page: better than no login.
    pub(super) fn parse(site: &Site, next: &str) -> Option<Self> {
        // Browsers drop tabs and line breaks from addresses and read `\` as `/`, so what
        // looks like a path can be another host by the time they follow it.
        let safe = next.starts_with('/')
            && !next.starts_with("//")
            && !next
                .chars()
                .any(|character| character.is_control() || character == '\\');
        if !safe {
            return None;
        }
        // What a browser makes of it, by the standard that browsers follow. Its path can
        // still begin with `//`, as that of `/.//host` does.
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
        if path.len() > LONGEST {
            return Some(Self::front());
        }
        Some(Self(path))
    }

    /// Without query and fragment.
    pub(super) fn path(&self) -> &str {
        self.0.split(['?', '#']).next().unwrap_or_default()
    }

    pub(super) fn as_str(&self) -> &str {
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
        // Kept in no file.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// It is read again where the login comes back, and must then be what it was.
        #[test]
        fn what_is_kept_is_read_as_it_was(next in "/[a-z/.%2e?#;=&|'\"<>{}^` \u{e9}\u{1f30a}]{0,40}") {
            if let Some(kept) = parse(&next) {
                prop_assert_eq!(parse(&kept), Some(kept));
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
