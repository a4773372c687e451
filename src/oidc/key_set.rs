//! The keys that a provider signs with (RFC 7517).

use jsonwebtoken::{
    DecodingKey,
    crypto::aws_lc,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::{OidcError, SigningAlgorithm};

/// How many keys are tried for one token. A provider has a few.
const MOST_TRIED: usize = 16;

/// The keys of a provider.
pub(super) struct KeySet(Vec<Key>);

struct Key {
    jwk: Jwk,
    key: DecodingKey,
}

/// What is signed, and by whom it says.
pub(super) struct Signed<'a> {
    pub(super) key_id: Option<&'a str>,
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
}

/// What the keys say of a signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Wrong,
    /// It may be good by a key that is not here.
    NoSuchKey,
}

impl KeySet {
    /// Reads a key set. A key that is not understood is as good as not there (section 5).
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

    /// Whether one of these keys made the signature: the one that is named, or where none is,
    /// any that fits.
    pub(super) fn verify(&self, signed: &Signed<'_>, algorithm: SigningAlgorithm) -> Verdict {
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
        if keys.any(|key| key.made(signed, algorithm)) {
            Verdict::Good
        } else if is_known {
            Verdict::Wrong
        } else {
            Verdict::NoSuchKey
        }
    }
}

impl Key {
    /// Whether the key is for signatures of this kind.
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

    fn made(&self, signed: &Signed<'_>, algorithm: SigningAlgorithm) -> bool {
        // By name, not by the default of the process: that is for the application to choose,
        // and panics where nobody did and two are compiled in.
        let verifier = (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&algorithm.as_jose(), &self.key);
        verifier.is_ok_and(|verifier| verifier.verify(signed.message, &signed.signature).is_ok())
    }
}
