//! The signing keys of a provider (RFC 7517).

use jsonwebtoken::{
    DecodingKey,
    crypto::aws_lc,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::{OidcError, SigningAlgorithm};

/// How many keys are tried for one token.
const MOST_TRIED: usize = 16;

pub(super) struct KeySet(Vec<Key>);

struct Key {
    jwk: Jwk,
    key: DecodingKey,
}

/// The signed part of a token, its signature, and the id of the key.
pub(super) struct Signed<'a> {
    pub(super) key_id: Option<&'a str>,
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
}

/// The result of verifying a signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verification {
    Valid,
    Invalid,
    /// A key that is not in this set may have made it.
    UnknownKey,
}

impl KeySet {
    /// Reads a key set, without the keys that are not supported (section 5).
    pub(super) fn parse(document: &[u8]) -> Result<Self, OidcError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }

        let document: Document =
            serde_json::from_slice(document).map_err(|_| OidcError::Unreadable { what: "keys" })?;
        let keys = document.keys.into_iter().filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key).ok()?;
            let key = DecodingKey::from_jwk(&jwk).ok()?;
            Some(Key { jwk, key })
        });
        Ok(Self(keys.collect()))
    }

    /// Verifies a signature with the named key, or with any key for the algorithm if none is named.
    pub(super) fn verify(&self, signed: &Signed<'_>, algorithm: SigningAlgorithm) -> Verification {
        let mut keys = self
            .0
            .iter()
            .filter(|key| key.fits(algorithm))
            .filter(|key| {
                signed.key_id.is_none() || key.jwk.common.key_id.as_deref() == signed.key_id
            })
            .take(MOST_TRIED)
            .peekable();
        let is_known = signed.key_id.is_some() && keys.peek().is_some();
        if keys.any(|key| key.verifies(signed, algorithm)) {
            Verification::Valid
        } else if is_known {
            Verification::Invalid
        } else {
            Verification::UnknownKey
        }
    }
}

impl Key {
    /// Whether the key is for signatures with this algorithm.
    fn fits(&self, algorithm: SigningAlgorithm) -> bool {
        use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

        let kind = match (&self.jwk.algorithm, algorithm) {
            (AlgorithmParameters::RSA(_), Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512) => true,
            (AlgorithmParameters::EllipticCurve(key), Es256) => key.curve == EllipticCurve::P256,
            (AlgorithmParameters::EllipticCurve(key), Es384) => key.curve == EllipticCurve::P384,
            (AlgorithmParameters::OctetKeyPair(key), EdDsa) => key.curve == EllipticCurve::Ed25519,
            _ => false,
        };
        let common = &self.jwk.common;
        let for_signatures = common
            .public_key_use
            .as_ref()
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let may_verify = common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let same_algorithm = common
            .key_algorithm
            .is_none_or(|named| named == algorithm.as_jose().into());
        kind && for_signatures && may_verify && same_algorithm
    }

    fn verifies(&self, signed: &Signed<'_>, algorithm: SigningAlgorithm) -> bool {
        // The provider is named: the default of the process belongs to the application, and
        // panics if it is not set while two providers are compiled in.
        let verifier = (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&algorithm.as_jose(), &self.key);
        verifier.is_ok_and(|verifier| verifier.verify(signed.message, &signed.signature).is_ok())
    }
}
