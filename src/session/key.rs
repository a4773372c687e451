//! What ties a login to the browser it was made in.
//!
//! Session stores upsert: a request that was in flight while its session was deleted saves
//! it back, and its answer hands the old cookie out again. So a login also has a key, in a
//! cookie that is set at the login and by nothing else. Signing out takes the key away, and
//! a session that comes back without it is nobody's. The session keeps only a fingerprint,
//! so reading the session store is not enough to be somebody either.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The key of one login: 32 random bytes.
pub(crate) struct LoginKey(String);

impl LoginKey {
    pub(crate) fn generate() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What goes into the cookie.
    pub(crate) fn into_cookie(self) -> String {
        self.0
    }

    /// What goes into the session.
    pub(crate) fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&self.0))
    }

    /// Whether a session with this fingerprint belongs to what a browser sent.
    pub(crate) fn fits(sent: &str, fingerprint: &str) -> bool {
        let mut stored = [0; 32];
        let length = URL_SAFE_NO_PAD.decode_slice(fingerprint, &mut stored);
        length == Ok(stored.len()) && words(stored).ct_eq(&words(digest(sent))).into()
    }
}

/// Few large numbers are compared in constant time sooner than many bytes.
fn words(digest: [u8; 32]) -> [u64; 4] {
    let (words, _) = digest.as_chunks();
    std::array::from_fn(|index| u64::from_ne_bytes(words[index]))
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_fits_its_own_fingerprint_and_no_other() {
        let (key, other) = (LoginKey::generate(), LoginKey::generate());
        let fingerprint = key.fingerprint();
        assert!(LoginKey::fits(&key.0, &fingerprint));
        assert!(!LoginKey::fits(&other.0, &fingerprint));
        assert!(!LoginKey::fits("", &fingerprint));
        for place in 0..fingerprint.len() {
            let mut broken = fingerprint.clone();
            let letter = if &broken[place..=place] == "A" {
                "B"
            } else {
                "A"
            };
            broken.replace_range(place..=place, letter);
            assert!(!LoginKey::fits(&key.0, &broken), "{place}");
            assert!(!LoginKey::fits(&key.0, &fingerprint[..place]), "{place}");
        }
        for more in ["A", "=", "AAAA", "\n"] {
            assert!(
                !LoginKey::fits(&key.0, &(fingerprint.clone() + more)),
                "{more}"
            );
        }
    }
}
