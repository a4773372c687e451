//! Whose page it is, in a word that only this page understands.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

/// The longest name of a page, in bytes. The script makes up 32.
const LONGEST: usize = 64;

/// The name that a page has made up for itself, in `GET /clef/live?page=`.
pub(super) fn page_name(query: Option<&str>) -> Option<Cow<'_, str>> {
    let mut fields = form_urlencoded::parse(query?.as_bytes());
    let page = fields.find_map(|(name, value)| (name == "page").then_some(value))?;
    let plain = page.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && !page.is_empty() && page.len() <= LONGEST).then_some(page)
}

/// What `GET /clef/live` says of the user to a page of this name, as JSON.
///
/// A covered page must not be uncovered for somebody else, so it has to know whether who comes
/// back is the one who left. It makes up a name for itself, and what it is told is a digest of
/// that and of the user's id: the same for each login of the user, at every node and after a
/// restart, and another at every other page. Of the user and not of the subject: somebody known
/// by two providers is one user.
pub(super) fn of(page: Option<&str>, user_id: &str) -> String {
    let Some(page) = page else {
        return "{}".to_owned();
    };
    // The name has no byte in it that could be taken for this one.
    let digest = Sha256::new()
        .chain_update(page.as_bytes())
        .chain_update([0])
        .chain_update(user_id)
        .finalize();
    format!("{{\"who\":\"{}\"}}", URL_SAFE_NO_PAD.encode(&digest[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(query: Option<&str>, user_id: &str) -> String {
        of(page_name(query).as_deref(), user_id)
    }

    #[test]
    fn a_page_knows_its_person_again_and_no_other_page_does() {
        let alex = told(Some("page=a1"), "1");
        assert_eq!(alex.len(), "{\"who\":\"\"}".len() + 22);
        assert_eq!(told(Some("x=y&page=a1"), "1"), alex);
        for (query, user) in [("page=a1", "2"), ("page=a2", "1"), ("page=a", "11")] {
            assert_ne!(told(Some(query), user), alex);
        }
    }

    #[test]
    fn whoever_gives_no_name_is_told_nothing() {
        let long = format!("page={}", "a".repeat(LONGEST + 1));
        for query in [
            None,
            Some(""),
            Some("page="),
            Some("page=a%00"),
            Some(&long),
        ] {
            assert_eq!(told(query, "1"), "{}");
        }
    }
}
