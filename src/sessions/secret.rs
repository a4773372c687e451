//! The secret in the cookie of a stored login.

use rand::RngCore as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The length of a secret: 258 bits.
const LENGTH: usize = 43;

const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Random characters. The store has only their SHA-256, so read access to the store is not enough
/// to forge a cookie.
pub(super) struct CookieSecret([u8; LENGTH]);

impl CookieSecret {
    pub(super) fn random() -> Self {
        let mut bytes = [0; LENGTH];
        rand::thread_rng().fill_bytes(&mut bytes);
        Self(bytes.map(|byte| CHARACTERS[usize::from(byte) % CHARACTERS.len()]))
    }

    /// Reads the secret of a cookie.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        text.try_into().ok().map(Self)
    }

    /// The value in the cookie.
    pub(super) fn to_text(&self) -> String {
        self.0.map(char::from).iter().collect()
    }

    /// The value in the store.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// Compares this secret with the digest in the store, in constant time.
    pub(super) fn matches(&self, digest: &[u8]) -> bool {
        self.digest().ct_eq(digest).into()
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
        assert!(!secret.matches(&[]));
        for place in 0..digest.len() {
            let mut broken = digest;
            broken[place] ^= 1;
            assert!(!secret.matches(&broken), "{place}");
            assert!(!secret.matches(&digest[..place]), "{place}");
        }
    }

    #[test]
    fn secrets_have_every_character() {
        let secrets: String = (0..100).map(|_| CookieSecret::random().to_text()).collect();
        for character in CHARACTERS {
            assert!(secrets.as_bytes().contains(character), "{character}");
        }
    }

    #[test]
    fn a_secret_reads_back_from_its_text_and_from_nothing_else() {
        let secret = CookieSecret::random();
        let (digest, text) = (secret.digest(), secret.to_text());
        assert!(CookieSecret::read(text.as_bytes()).is_some_and(|read| read.matches(&digest)));
        for wrong in ["", &text[1..], &format!("{text}A"), &format!("{text}=")] {
            assert!(CookieSecret::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
        for place in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'A' { b'B' } else { b'A' };
            let wrong = CookieSecret::read(&wrong).unwrap();
            assert!(!wrong.matches(&digest), "{place}");
        }
    }
}
