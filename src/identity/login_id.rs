//! The id of one login.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Decode, Encode};
use rand::RngCore as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The id of one login: 16 random bytes, written as 22 characters of URL-safe Base64.
///
/// It is not a secret: knowing it does not authenticate a request. Use it as the key of data that
/// belongs to one login, such as a shopping cart or the name of a device.
///
/// ```
/// use axum_clef::LoginId;
///
/// let id: LoginId = "AAECAwQFBgcICQoLDA0ODw".parse()?;
/// assert_eq!(id.to_string(), "AAECAwQFBgcICQoLDA0ODw");
/// # Ok::<(), axum_clef::LoginIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct LoginId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

/// The error of parsing a [`LoginId`], which is 22 characters of URL-safe Base64 without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a login id, which is 22 characters of URL-safe Base64")]
pub struct LoginIdError;

impl LoginId {
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        rand::thread_rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl FromStr for LoginId {
    type Err = LoginIdError;

    fn from_str(text: &str) -> Result<Self, LoginIdError> {
        let mut bytes = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(16) => Ok(Self(bytes)),
            _ => Err(LoginIdError),
        }
    }
}

impl LoginId {
    fn with_text<T>(&self, with: impl FnOnce(&str) -> T) -> Option<T> {
        let mut text = [0; 22];
        let length = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).ok()?;
        str::from_utf8(&text[..length]).ok().map(with)
    }
}

impl fmt::Display for LoginId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| formatter.pad(text))
            .unwrap_or(Err(fmt::Error))
    }
}

impl fmt::Debug for LoginId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LoginId({self})")
    }
}

impl Serialize for LoginId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LoginId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = LoginId;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a login id")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LoginId, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text_and_from_nothing_else() {
        let id = LoginId::random();
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_ne!(id, LoginId::random());
        for wrong in [
            "",
            "AAAA",
            &text[1..],
            &format!("{text}A"),
            &format!("{text}="),
            "é",
        ] {
            assert_eq!(wrong.parse::<LoginId>(), Err(LoginIdError), "{wrong}");
        }
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<LoginId>(&json).unwrap(), id);
    }
}
