//! An unverified token: header, claims and signature.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{SigningAlgorithm, TokenError, claims::Claims, json, key_set::Signed};

/// A token in its compact form (RFC 7515, section 7.1).
pub(crate) struct Token<'a> {
    pub(crate) header: Header,
    pub(crate) claims: Claims,
    message: &'a [u8],
    signature: Vec<u8>,
}

pub(crate) struct Header(Map<String, Value>);

impl<'a> Token<'a> {
    /// Parses a token whose header names this algorithm.
    pub(crate) fn parse(text: &'a str, algorithm: SigningAlgorithm) -> Result<Self, TokenError> {
        let (message, signature) = text.rsplit_once('.').ok_or(TokenError::Shape)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Shape)?;
        // A dot is not Base64, so the five parts of an encrypted token are rejected.
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Shape);
        let object = |part: &str| json::object(&decode(part)?).ok_or(TokenError::Json);
        let header = Header(object(header)?);
        header.check(algorithm)?;
        Ok(Self {
            header,
            claims: Claims::new(object(claims)?),
            message: message.as_bytes(),
            signature: decode(signature)?,
        })
    }

    pub(crate) fn signed(&self) -> Signed<'_> {
        Signed {
            key_id: self.header.0.get("kid").and_then(Value::as_str),
            message: self.message,
            signature: self.signature.clone(),
        }
    }
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
