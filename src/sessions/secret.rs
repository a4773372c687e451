//! The secret in the cookie of a stored login.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// 32 random bytes. The store has only their SHA-256, so read access to the store is not enough to
/// forge a cookie.
pub(super) struct CookieSecret([u8; 32]);

impl CookieSecret {
    pub(super) fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Reads the secret of a cookie.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
        (length == Ok(bytes.len())).then_some(Self(bytes))
    }

    /// The value in the cookie.
    pub(super) fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The value in the store.
    pub(super) fn digest(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0))
    }

    /// Compares this secret with the digest in the store, in constant time.
    pub(super) fn matches(&self, digest: &str) -> bool {
        let mut own = [0; 43];
        let length = URL_SAFE_NO_PAD.encode_slice(Sha256::digest(self.0), &mut own);
        length == Ok(own.len()) && own.ct_eq(digest.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_its_own_digest_and_no_other() {
        let (secret, other) = (CookieSecret::random(), CookieSecret::random());
        let digest = secret.digest();
        assert!(secret.matches(&digest));
        assert!(!other.matches(&digest));
        assert!(!secret.matches(""));
        for place in 0..digest.len() {
            let letter = if &digest[place..=place] == "A" {
                "B"
            } else {
                "A"
            };
            let mut broken = digest.clone();
            broken.replace_range(place..=place, letter);
            assert!(!secret.matches(&broken), "{place}");
            assert!(!secret.matches(&digest[..place]), "{place}");
        }
    }

    #[test]
    fn a_secret_reads_back_from_its_text_and_from_nothing_else() {
        let secret = CookieSecret::random();
        let text = secret.to_text();
        assert!(CookieSecret::read(text.as_bytes()).is_some_and(|read| read.0 == secret.0));
        for wrong in [
            "",
            &text[1..],
            &format!("{text}A"),
            &format!("{text}="),
            "\u{e9}",
        ] {
            assert!(CookieSecret::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
