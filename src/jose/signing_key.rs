//! A private key that signs tokens with ES256 (RFC 7518, section 3.4).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde_json::Value;

/// A private key on the curve P-256, as PKCS#8.
#[derive(Clone)]
pub(crate) struct SigningKey(SecretSlice<u8>);

impl SigningKey {
    /// Reads a key in PEM (RFC 7468, section 10). `None` if it is no key on P-256.
    pub(crate) fn from_pem(pem: &SecretString) -> Option<Self> {
        let pem = pem.expose_secret().trim().as_bytes();
        let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(pem).ok()?;
        let key = Self(der.into());
        let is_good = kind == SectionKind::PrivateKey && key.signature("").is_some();
        is_good.then_some(key)
    }

    /// A signed token. `None` if the key cannot sign, which [`from_pem`](Self::from_pem) has tried.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Option<SecretString> {
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.signature(&message)?);
        Some(format!("{message}.{signature}").into())
    }

    fn signature(&self, message: &str) -> Option<Vec<u8>> {
        let (algorithm, key) = (&ECDSA_P256_SHA256_FIXED_SIGNING, self.0.expose_secret());
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key, &random).ok()?;
        let signature = key.sign(&random, message.as_bytes()).ok()?;
        Some(signature.as_ref().to_owned())
    }
}
