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
        let mut encoded = [0; 43];
        let whole = URL_SAFE_NO_PAD.encode_slice(digest(sent), &mut encoded);
        whole.is_ok() && encoded.ct_eq(fingerprint.as_bytes()).into()
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}
