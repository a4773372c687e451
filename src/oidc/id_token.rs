//! An ID token: who has logged in (OpenID Connect Core 1.0, section 3.1.3.7).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::{Claims, Person, Settings, SigningAlgorithm, TokenError, token::Header};

/// What an ID token says.
pub(super) struct IdToken {
    pub(super) subject: String,
    /// The session at the provider, if it names them.
    pub(super) session: Option<String>,
    pub(super) person: Person,
}

/// What an ID token must fit.
pub(super) struct Expected<'a> {
    pub(super) nonce: &'a str,
    pub(super) access_token: &'a SecretString,
    /// In seconds since the Unix epoch.
    pub(super) now: f64,
}

impl IdToken {
    /// Reads the claims of an ID token, beyond what holds for every token.
    pub(super) fn read(
        header: &Header,
        claims: &Claims,
        settings: &Settings,
        expected: &Expected<'_>,
    ) -> Result<Self, TokenError> {
        // An access token (RFC 9068, section 2.1) or a logout token is signed with the same keys.
        match header.kind()?.as_deref() {
            None | Some("jwt") => {}
            Some(_) => return Err(TokenError::Type),
        }
        let nonce = claims.text("nonce")?.ok_or(TokenError::Missing("nonce"))?;
        if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
            return Err(TokenError::Nonce);
        }
        if let Some(hash) = claims.text("at_hash")?
            && hash != hash_of(expected.access_token, settings.algorithm)
        {
            return Err(TokenError::AccessToken);
        }
        if let Some(max_age) = settings.max_age {
            let logged_in_at = claims.seconds("auth_time")?;
            let logged_in_at = logged_in_at.ok_or(TokenError::Missing("auth_time"))?;
            if Claims::is_older(logged_in_at, max_age as f64, expected.now) {
                return Err(TokenError::LoginTooOld);
            }
        }
        Ok(Self {
            subject: claims
                .subject()?
                .ok_or(TokenError::Missing("sub"))?
                .to_owned(),
            session: claims.session()?.map(str::to_owned),
            person: Person::read(|name| claims.get(name).unwrap_or(&Value::Null)),
        })
    }
}

/// The left half of the access token's digest, by the hash of the signature (section 3.1.3.6;
/// Ed25519 has SHA-512 inside).
fn hash_of(access_token: &SecretString, algorithm: SigningAlgorithm) -> String {
    use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

    let text = access_token.expose_secret();
    let digest = match algorithm {
        Rs256 | Ps256 | Es256 => Sha256::digest(text).to_vec(),
        Rs384 | Ps384 | Es384 => Sha384::digest(text).to_vec(),
        Rs512 | Ps512 | EdDsa => Sha512::digest(text).to_vec(),
    };
    let (left, _) = digest.split_at(digest.len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}
