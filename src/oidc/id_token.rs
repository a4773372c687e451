//! The ID token of a login (OpenID Connect Core 1.0, section 3.1.3.7).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::{Settings, SigningAlgorithm, TokenError, person_claims::PersonClaims};
use crate::{
    Timestamp,
    jose::{Claims, Header},
    provider::Authentication,
};

pub(super) struct IdToken {
    pub(super) subject: String,
    /// The session at the provider, if it names its sessions.
    pub(super) session: Option<String>,
    /// When the user last authenticated at the provider.
    pub(super) authentication: Authentication,
    pub(super) person: PersonClaims,
}

/// The values that an ID token must match.
pub(super) struct Expected<'a> {
    pub(super) nonce: &'a str,
    /// `None` if the provider returned none.
    pub(super) access_token: Option<&'a SecretString>,
    /// In seconds since the Unix epoch.
    pub(super) now: f64,
}

impl IdToken {
    /// Reads the claims that only ID tokens have.
    pub(super) fn read(
        header: &Header,
        claims: &Claims,
        settings: &Settings,
        expected: &Expected<'_>,
    ) -> Result<Self, TokenError> {
        // Access tokens (RFC 9068, section 2.1) and logout tokens are signed with the same keys.
        match header.kind()?.as_deref() {
            None | Some("jwt") => {}
            Some(_) => return Err(TokenError::Type),
        }
        let nonce = claims.text("nonce")?.ok_or(TokenError::Missing("nonce"))?;
        if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
            return Err(TokenError::Nonce);
        }
        if let Some(hash) = claims.text("at_hash")?
            && let Some(access_token) = expected.access_token
            && hash != access_token_hash(access_token, settings.algorithm)
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
            authentication: authentication(claims, expected.now),
            person: PersonClaims::new(claims.all().clone()),
        })
    }
}

/// `auth_time`. Providers write zero for unknown. A malformed one and one in the future count as
/// unknown.
fn authentication(claims: &Claims, now: f64) -> Authentication {
    match claims.seconds("auth_time") {
        Ok(Some(seconds)) if seconds > 0.0 && !Claims::is_ahead(seconds, now) => {
            Authentication::At(Timestamp::from_micros((seconds * 1e6) as i64))
        }
        _ => Authentication::Unknown,
    }
}

/// The left half of the access token's digest, by the hash function of the signature (section
/// 3.1.3.6; Ed25519 uses SHA-512).
fn access_token_hash(access_token: &SecretString, algorithm: SigningAlgorithm) -> String {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jose::Token;

    fn claims(claims: &Value) -> Claims {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}.", part(&json!({ "alg": "RS256" })), part(claims));
        let token = Token::parse(&text, SigningAlgorithm::Rs256).unwrap();
        token.claims().unwrap()
    }

    #[test]
    fn an_auth_time_is_after_the_epoch_and_not_in_the_future() {
        let at = |seconds: i64| Authentication::At(Timestamp::from_micros(seconds * 1_000_000));
        for (auth_time, expected) in [
            (json!(null), Authentication::Unknown),
            (json!(0), Authentication::Unknown),
            (json!(1), at(1)),
            (json!(1_000), at(1_000)),
            (json!(1_120), at(1_120)),
            (json!(1_121), Authentication::Unknown),
            (json!("1"), Authentication::Unknown),
        ] {
            let claims = claims(&json!({ "auth_time": auth_time }));
            assert_eq!(authentication(&claims, 1_000.0), expected, "{auth_time}");
        }
    }
}
