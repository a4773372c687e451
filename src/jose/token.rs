//! An unverified token: header, claims and signature.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{SigningAlgorithm, TokenError, claims::Claims, json, key_set::Signed};

/// A token in its compact form (RFC 7515, section 7.1). Claims and signature are decoded on demand,
/// so that a forged token costs little until it is refused.
pub(crate) struct Token<'a> {
    pub(crate) header: Header,
    claims: &'a str,
    message: &'a str,
    signature: &'a str,
}

pub(crate) struct Header(Map<String, Value>);

impl<'a> Token<'a> {
    /// Parses a token whose header names this algorithm.
    pub(crate) fn parse(text: &'a str, algorithm: SigningAlgorithm) -> Result<Self, TokenError> {
        let (message, signature) = text.rsplit_once('.').ok_or(TokenError::Shape)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Shape)?;
        let header = json::small_object(&decode(header)?).ok_or(TokenError::Json)?;
        let header = Header(header);
        header.check(algorithm)?;
        Ok(Self {
            header,
            claims,
            message,
            signature,
        })
    }

    /// The claims of a token that came in an answer of its issuer.
    #[cfg(feature = "oidc")]
    pub(crate) fn claims(&self) -> Result<Claims, TokenError> {
        let claims = json::object(&decode(self.claims)?).ok_or(TokenError::Json)?;
        Ok(Claims::new(claims))
    }

    /// The claims of a token that any client can send.
    pub(crate) fn notice_claims(&self) -> Result<Claims, TokenError> {
        let claims = json::small_object(&decode(self.claims)?).ok_or(TokenError::Json)?;
        Ok(Claims::new(claims))
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.0.get("kid").and_then(Value::as_str)
    }

    pub(crate) fn signed(&self) -> Result<Signed<'_>, TokenError> {
        Ok(Signed {
            key_id: self.key_id(),
            message: self.message.as_bytes(),
            signature: decode(self.signature)?,
        })
    }
}

/// A dot is not Base64, so the five parts of an encrypted token are rejected.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Shape)
}

impl Header {
    fn check(&self, algorithm: SigningAlgorithm) -> Result<(), TokenError> {
        let named = self.0.get("alg").and_then(Value::as_str);
        let named = named.and_then(SigningAlgorithm::from_name);
        if named != Some(algorithm) {
            return Err(TokenError::Algorithm(named));
        }
        // No extension is supported, so none can be critical. `cty` announces a nested token (RFC
        // 7519, section 5.2).
        if self.0.contains_key("crit") || self.0.contains_key("cty") {
            return Err(TokenError::Extension);
        }
        match self.0.get("kid") {
            None | Some(Value::String(_)) => Ok(()),
            Some(_) => Err(TokenError::Form("kid")),
        }
    }

    /// The `typ`, in lower case and without the optional `application/` (RFC 7515, section 4.1.9).
    pub(crate) fn kind(&self) -> Result<Option<String>, TokenError> {
        match self.0.get("typ") {
            None => Ok(None),
            Some(Value::String(kind)) => {
                let kind = kind.to_ascii_lowercase();
                let kind = kind.strip_prefix("application/").unwrap_or(&kind);
                Ok(Some(kind.to_owned()))
            }
            Some(_) => Err(TokenError::Type),
        }
    }
}
