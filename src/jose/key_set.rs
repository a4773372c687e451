//! The signing keys of an issuer (RFC 7517).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::{RemoteError, SigningAlgorithm, public_key::PublicKey};

/// How many keys are tried for one token.
const MOST_TRIED: usize = 16;

pub(crate) struct KeySet(Vec<Key>);

struct Key {
    id: Option<String>,
    /// The only algorithm of the key, if it names one.
    algorithm: Option<SigningAlgorithm>,
    key: PublicKey,
}

/// The signed part of a token, its signature, and the id of the key.
pub(crate) struct Signed<'a> {
    pub(crate) key_id: Option<&'a str>,
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

/// The result of verifying a signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    Valid,
    Invalid,
    /// A key that is not in this set may have made it.
    UnknownKey,
}

impl KeySet {
    /// Reads a key set, without the keys that are not supported (section 5).
    pub(crate) fn parse(document: &[u8]) -> Result<Self, RemoteError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }

        let document: Document = serde_json::from_slice(document)
            .map_err(|_| RemoteError::Unreadable { what: "keys" })?;
        Ok(Self(document.keys.iter().filter_map(Key::parse).collect()))
    }

    /// The algorithms for which there is a key.
    #[cfg(feature = "oidc")]
    pub(crate) fn algorithms(&self) -> Vec<SigningAlgorithm> {
        let fits = |algorithm: &SigningAlgorithm| self.0.iter().any(|key| key.fits(*algorithm));
        SigningAlgorithm::ALL.into_iter().filter(fits).collect()
    }

    /// Verifies a signature with the named key, or with any key for the algorithm if none is named.
    pub(crate) fn verify(&self, signed: &Signed<'_>, algorithm: SigningAlgorithm) -> Verification {
        let mut keys = self.keys(signed.key_id, algorithm).take(MOST_TRIED);
        if keys.any(|key| key.verifies(signed, algorithm)) {
            Verification::Valid
        } else if signed.key_id.is_some() && self.has(signed.key_id, algorithm) {
            Verification::Invalid
        } else {
            Verification::UnknownKey
        }
    }

    /// Whether there is the named key for the algorithm, or any if none is named.
    pub(crate) fn has(&self, id: Option<&str>, algorithm: SigningAlgorithm) -> bool {
        self.keys(id, algorithm).next().is_some()
    }

    fn keys(&self, id: Option<&str>, algorithm: SigningAlgorithm) -> impl Iterator<Item = &Key> {
        let fitting = self.0.iter().filter(move |key| key.fits(algorithm));
        fitting.filter(move |key| id.is_none() || key.id.as_deref() == id)
    }
}

impl Key {
    /// Reads a key for signatures. Only the members that are needed are looked at, so a malformed
    /// certificate or an unknown member makes no key unusable.
    fn parse(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| decode(text(name)?);
        let key = match (text("kty")?, text("crv")) {
            ("RSA", _) => PublicKey::Rsa {
                modulus: trimmed(&bytes("n")?).to_owned(),
                exponent: trimmed(&bytes("e")?).to_owned(),
            },
            ("EC", Some("P-256")) => PublicKey::P256(point(&bytes("x")?, &bytes("y")?, 32)?),
            ("EC", Some("P-384")) => PublicKey::P384(point(&bytes("x")?, &bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => PublicKey::Ed25519(bytes("x")?),
            _ => return None,
        };
        let algorithm = match jwk.get("alg") {
            None | Some(Value::Null) => None,
            Some(named) => Some(SigningAlgorithm::from_name(named.as_str()?)?),
        };
        is_for_signatures(jwk).then(|| Self {
            id: text("kid").map(str::to_owned),
            algorithm,
            key,
        })
    }

    /// Whether the key is for this algorithm.
    fn fits(&self, algorithm: SigningAlgorithm) -> bool {
        self.key.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }

    fn verifies(&self, signed: &Signed<'_>, algorithm: SigningAlgorithm) -> bool {
        self.key
            .verifies(algorithm, signed.message, &signed.signature)
    }
}

/// Whether `use` and `key_ops` (sections 4.2 and 4.3) allow to verify signatures, or are empty.
fn is_for_signatures(jwk: &Value) -> bool {
    let purpose = match jwk.get("use") {
        None | Some(Value::Null) => true,
        Some(purpose) => {
            let purpose = purpose.as_str();
            purpose.is_some_and(|purpose| purpose.eq_ignore_ascii_case("sig"))
        }
    };
    let operations = match jwk.get("key_ops") {
        None | Some(Value::Null) => true,
        Some(Value::Array(operations)) => {
            operations.is_empty() || operations.iter().any(|operation| operation == "verify")
        }
        Some(_) => false,
    };
    purpose && operations
}

/// Decodes Base64url. Some providers pad it, or use the alphabet of Base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let text = text.replace('+', "-").replace('/', "_");
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A number without the leading zeros that some providers write.
fn trimmed(number: &[u8]) -> &[u8] {
    let first = number.iter().position(|byte| *byte != 0);
    first.map_or(&[], |first| &number[first..])
}

/// A point on a curve whose coordinates have this many bytes, uncompressed (SEC 1, section 2.3.3).
/// Some providers leave out leading zeros.
fn point(x: &[u8], y: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for coordinate in [trimmed(x), trimmed(y)] {
        let zeros = length.checked_sub(coordinate.len())?;
        point.extend(std::iter::repeat_n(0, zeros));
        point.extend_from_slice(coordinate);
    }
    Some(point)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn supports(jwk: Value, algorithm: SigningAlgorithm) -> bool {
        let document = json!({ "keys": [jwk] }).to_string();
        KeySet::parse(document.as_bytes()).is_ok_and(|keys| keys.algorithms().contains(&algorithm))
    }

    #[test]
    fn what_is_equivalent_is_taken_and_what_is_not_needed_is_skipped() {
        let change = |name: &str, value: Value| {
            let mut jwk = json!({ "kty": "RSA", "n": "AMDAwMDA", "e": "AQAB", "kid": "1" });
            jwk[name] = value;
            supports(jwk, SigningAlgorithm::Rs256)
        };
        for (name, value, good) in [
            ("e", json!("AQAB="), true),
            ("e", json!("AQAB=="), true),
            ("n", json!("+/-_"), true),
            ("n", json!("!"), false),
            ("use", json!("SIG"), true),
            ("use", json!(null), true),
            ("use", json!("enc"), false),
            ("use", json!(""), false),
            ("use", json!(["sig"]), false),
            ("key_ops", json!([]), true),
            ("key_ops", json!(["sign", "verify"]), true),
            ("key_ops", json!(["sign"]), false),
            ("key_ops", json!("verify"), false),
            ("alg", json!(null), true),
            ("alg", json!("RS256"), true),
            ("alg", json!("RSA-OAEP"), false),
            ("alg", json!(1), false),
            ("kid", json!(1), true),
            ("x5c", json!("no list"), true),
            ("x5t", json!(1), true),
            ("ext", json!({ "more": [] }), true),
        ] {
            assert_eq!(change(name, value.clone()), good, "{name} {value}");
        }
        for name in ["EdDSA", "Ed25519"] {
            let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA", "alg": name });
            assert!(supports(jwk, SigningAlgorithm::EdDsa), "{name}");
        }
        let jwk = json!({ "kty": "OKP", "crv": "Ed448", "x": "AAAA" });
        assert!(!supports(jwk, SigningAlgorithm::EdDsa));
    }

    #[test]
    fn numbers_have_their_length_whatever_zeros_they_have() {
        assert_eq!(trimmed(&[0, 0, 1, 0]), [1, 0]);
        assert_eq!(trimmed(&[0, 0]), [0; 0]);
        assert!(point(&[1; 31], &[0; 33], 32).is_some());
        assert!(point(&[1; 33], &[1; 32], 32).is_none());
    }
}
