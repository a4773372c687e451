//! Encrypts and signs the values of cookies.

use std::{fmt, str::FromStr};

use aes_gcm_siv::{Aes256GcmSiv, KeyInit as _, Nonce, aead::AeadInOut as _};
use base64::{
    Engine as _, alphabet,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD,
    },
};
use hmac::{Hmac, Mac as _};
use rand::RngCore as _;
use sha2::Sha256;

/// The length of a nonce in bytes. A repeated one would only show that two texts are equal (RFC
/// 8452), so it may be chosen at random.
const NONCE: usize = 12;

/// A key that seals logins in their cookies: 32 random bytes that all nodes of a site share.
///
/// Anyone with the key can log in as any user. Keep it where the application keeps its database
/// password.
///
/// It is read from Base64, as `openssl rand -base64 32` prints it:
///
/// ```
/// use axum_clef::{BoxError, Sessions, SessionKey};
///
/// fn sessions() -> Result<Sessions, BoxError> {
///     let key: SessionKey = std::env::var("SESSION_KEY")?.parse()?;
///     Ok(Sessions::sealed([key]))
/// }
/// ```
#[derive(Clone)]
pub struct SessionKey {
    cipher: Aes256GcmSiv,
    signer: Hmac<Sha256>,
}

impl SessionKey {
    /// Creates a key from 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let derived = keyed(&bytes)
            .chain_update("axum-clef signing key")
            .finalize();
        Self {
            cipher: Aes256GcmSiv::new(&bytes.into()),
            signer: keyed(&derived.into_bytes().into()),
        }
    }
}

/// A text that is no [`SessionKey`]: it is not Base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session key is 32 bytes in Base64, as `openssl rand -base64 32` prints it")]
#[non_exhaustive]
pub struct InvalidSessionKey;

/// Base64 of either alphabet, with padding or without; space around it makes no difference.
impl FromStr for SessionKey {
    type Err = InvalidSessionKey;

    fn from_str(text: &str) -> Result<Self, InvalidSessionKey> {
        let any_padding =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let base64 = GeneralPurpose::new(&alphabet::STANDARD, any_padding);
        let text = text.trim().replace('-', "+").replace('_', "/");
        let bytes = base64
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self::from_bytes).ok_or(InvalidSessionKey)
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // A key of the length of the digest is used as it is (RFC 2104), so padding it with zeros to
    // the length of a block makes no difference.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    hmac::digest::KeyInit::new(&block.into())
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionKey(…)")
    }
}

/// The keys of a site: the first one seals and signs, every one opens and verifies.
#[derive(Clone, Debug)]
pub(crate) struct SessionKeys(Vec<SessionKey>);

impl SessionKeys {
    pub(crate) fn new(keys: Vec<SessionKey>) -> Self {
        Self(keys)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Seals data, which opens in this context only. `None` without a key.
    pub(crate) fn seal(&self, data: &[u8], context: &str) -> Option<String> {
        let key = self.0.first()?;
        let mut nonce = [0; NONCE];
        rand::thread_rng().fill_bytes(&mut nonce);
        let mut sealed = data.to_vec();
        key.cipher
            .encrypt_in_place(&Nonce::from(nonce), context.as_bytes(), &mut sealed)
            .ok()?;
        // Last, so that the data is opened in place.
        sealed.extend_from_slice(&nonce);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens data that one of the keys has sealed in this context.
    pub(crate) fn open(&self, sealed: &[u8], context: &str) -> Option<Vec<u8>> {
        let mut sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let nonce = Nonce::from(*sealed.last_chunk::<NONCE>()?);
        sealed.truncate(sealed.len() - NONCE);
        let (last, others) = self.0.split_last()?;
        let open = |key: &SessionKey, mut data: Vec<u8>| {
            let opened = key
                .cipher
                .decrypt_in_place(&nonce, context.as_bytes(), &mut data);
            opened.is_ok().then_some(data)
        };
        let opened = others.iter().find_map(|key| open(key, sealed.clone()));
        opened.or_else(|| open(last, sealed))
    }

    /// Signs data for this context. Anyone can read it. `None` without a key.
    pub(super) fn sign(&self, data: &[u8], context: &str) -> Option<String> {
        let signature = signature(self.0.first()?, data, context).finalize();
        Some(URL_SAFE_NO_PAD.encode([data, &signature.into_bytes()].concat()))
    }

    /// Returns data of this length that one of the keys has signed for this context.
    pub(super) fn verify<const LENGTH: usize>(
        &self,
        signed: &[u8],
        context: &str,
    ) -> Option<[u8; LENGTH]> {
        let mut bytes = [0; 64];
        let length = URL_SAFE_NO_PAD.decode_slice(signed, &mut bytes).ok()?;
        let (data, signed) = bytes[..length].split_first_chunk::<LENGTH>()?;
        let mut keys = self.0.iter();
        let is_signed = keys.any(|key| signature(key, data, context).verify_slice(signed).is_ok());
        is_signed.then_some(*data)
    }
}

/// Of data whose length its context implies, so that no data is mistaken for other data.
fn signature(key: &SessionKey, data: &[u8], context: &str) -> Hmac<Sha256> {
    let signer = key.signer.clone();
    signer.chain_update(data).chain_update(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SessionKey {
        SessionKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_key_is_read_from_base64() {
        let bytes: [u8; 32] = std::array::from_fn(|index| 255 - 4 * index as u8);
        let sealed = SessionKeys::new(vec![SessionKey::from_bytes(bytes)]).seal(b"a", "b");
        let sealed = sealed.unwrap();
        let standard = "//v38+/r5+Pf29fTz8vHw7+7t7Ovq6ejn5uXk4+Lh4M=";
        let url_safe = "__v38-_r5-Pf29fTz8vHw7-7t7Ovq6ejn5uXk4-Lh4M";
        let printed = format!(" {standard}\n");
        for text in [standard, standard.trim_end_matches('='), url_safe, &printed] {
            let key = text.parse::<SessionKey>().unwrap();
            let opened = SessionKeys::new(vec![key]).open(sealed.as_bytes(), "b");
            assert_eq!(opened.as_deref(), Some(&b"a"[..]), "{text}");
        }
        for text in [
            "",
            "AAAA",
            "x",
            &standard[1..],
            &standard.repeat(2),
            &"ä".repeat(43),
        ] {
            assert_eq!(
                text.parse::<SessionKey>().err(),
                Some(InvalidSessionKey),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_sealed_opens_by_its_key_in_its_context() {
        let keys = SessionKeys::new(vec![key(1)]);
        let sealed = keys.seal(b"a text", "login").unwrap();
        assert_ne!(keys.seal(b"a text", "login").unwrap(), sealed);
        assert_eq!(
            keys.open(sealed.as_bytes(), "login").as_deref(),
            Some(&b"a text"[..])
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
            .seal(b"a text", "login")
            .unwrap();
        let last = SessionKeys::new(vec![key(1), key(2)]);
        let first = SessionKeys::new(vec![key(2), key(1)]);
        let newer = first.seal(b"a text", "login").unwrap();
        for keys in [&last, &first] {
            assert!(keys.open(sealed.as_bytes(), "login").is_some());
            assert!(keys.open(newer.as_bytes(), "login").is_some());
        }
        let gone = SessionKeys::new(vec![key(2)]);
        assert_eq!(gone.open(sealed.as_bytes(), "login"), None);
    }

    #[test]
    fn what_is_signed_verifies_by_its_keys_in_its_context() {
        let keys = SessionKeys::new(vec![key(1)]);
        let signed = keys.sign(b"seen", "idle").unwrap();
        assert_eq!(keys.verify(signed.as_bytes(), "idle"), Some(*b"seen"));
        assert_eq!(keys.verify::<4>(signed.as_bytes(), "login"), None);
        assert_eq!(keys.verify::<3>(signed.as_bytes(), "idle"), None);
        assert_eq!(keys.verify::<5>(signed.as_bytes(), "idle"), None);
        let rotated = SessionKeys::new(vec![key(2), key(1)]);
        assert_eq!(rotated.verify(signed.as_bytes(), "idle"), Some(*b"seen"));
        let other = SessionKeys::new(vec![key(2)]);
        assert_eq!(other.verify::<4>(signed.as_bytes(), "idle"), None);
        for place in 0..signed.len() {
            let cut = &signed.as_bytes()[..place];
            assert_eq!(keys.verify::<4>(cut, "idle"), None);
            let mut broken = signed.clone().into_bytes();
            broken[place] = if broken[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(keys.verify::<4>(&broken, "idle"), None, "{place}");
        }
        let long = "A".repeat(1_000);
        assert_eq!(keys.verify::<4>(long.as_bytes(), "idle"), None);
    }
}
