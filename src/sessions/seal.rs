//! Encrypts the values of cookies.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce, aead::AeadInOut as _};
use rand::Rng as _;

/// The length of a nonce in bytes: long enough to be chosen at random.
const NONCE: usize = 24;

/// A key that seals logins in their cookies: 32 random bytes that all nodes of a site share.
///
/// Anyone with the key can log in as any user. Keep it where the application keeps its database
/// password.
///
/// ```
/// use axum_clef::{Sessions, SessionKey};
///
/// # let bytes = [7; 32];
/// let key = SessionKey::from_bytes(bytes);
/// assert_eq!(format!("{key:?}"), "SessionKey(…)");
/// let sessions = Sessions::sealed([key]);
/// ```
#[derive(Clone)]
pub struct SessionKey(XChaCha20Poly1305);

impl SessionKey {
    /// Creates a key from 32 random bytes, such as the output of `openssl rand 32`.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&bytes.into()))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionKey(…)")
    }
}

/// The keys of a site: the first one seals, every one opens.
#[derive(Clone, Debug)]
pub(crate) struct SessionKeys(Vec<SessionKey>);

impl SessionKeys {
    pub(crate) fn new(keys: Vec<SessionKey>) -> Self {
        Self(keys)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Seals a text, which opens in this context only. `None` without a key.
    pub(crate) fn seal(&self, text: &str, context: &str) -> Option<String> {
        let SessionKey(cipher) = self.0.first()?;
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = text.as_bytes().to_vec();
        cipher
            .encrypt_in_place(&XNonce::from(nonce), context.as_bytes(), &mut sealed)
            .ok()?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut sealed);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens a text that one of the keys has sealed in this context.
    pub(crate) fn open(&self, sealed: &[u8], context: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let nonce = XNonce::from(*nonce);
        self.0.iter().find_map(|SessionKey(cipher)| {
            let mut text = sealed.to_vec();
            cipher
                .decrypt_in_place(&nonce, context.as_bytes(), &mut text)
                .ok()?;
            String::from_utf8(text).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SessionKey {
        SessionKey::from_bytes([byte; 32])
    }

    #[test]
    fn what_is_sealed_opens_by_its_key_in_its_context() {
        let keys = SessionKeys::new(vec![key(1)]);
        let sealed = keys.seal("a text", "login").unwrap();
        assert_ne!(keys.seal("a text", "login").unwrap(), sealed);
        assert_eq!(
            keys.open(sealed.as_bytes(), "login").as_deref(),
            Some("a text")
        );
        assert_eq!(keys.open(sealed.as_bytes(), "idle"), None);
        let other = SessionKeys::new(vec![key(2)]);
        assert_eq!(other.open(sealed.as_bytes(), "login"), None);
        for place in 0..sealed.len() {
            assert_eq!(keys.open(&sealed.as_bytes()[..place], "login"), None);
            let mut broken = sealed.clone().into_bytes();
            broken[place] = if broken[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(keys.open(&broken, "login"), None, "{place}");
        }
    }

    #[test]
    fn keys_rotate() {
        let sealed = SessionKeys::new(vec![key(1)])
            .seal("a text", "login")
            .unwrap();
        let last = SessionKeys::new(vec![key(1), key(2)]);
        let first = SessionKeys::new(vec![key(2), key(1)]);
        let newer = first.seal("a text", "login").unwrap();
        for keys in [&last, &first] {
            assert!(keys.open(sealed.as_bytes(), "login").is_some());
            assert!(keys.open(newer.as_bytes(), "login").is_some());
        }
        let gone = SessionKeys::new(vec![key(2)]);
        assert_eq!(gone.open(sealed.as_bytes(), "login"), None);
    }
}
