//! Edits of JSON objects, such as the claims of a token.

use arbitrary::Arbitrary;
use serde_json::{Map, Value};

use crate::Piece;

/// The names in tokens, key sets and metadata.
const NAMES: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "sid",
    "azp",
    "nonce",
    "events",
    "at_hash",
    "auth_time",
    "acr",
    "amr",
    "email",
    "email_verified",
    "name",
    "given_name",
    "picture",
    "sub_id",
    "txn",
    "toe",
    "format",
    "id",
    "uri",
    "url",
    "phone_number",
    "identifiers",
    "user",
    "session",
    "device",
    "tenant",
    "subject",
    "subject_type",
    "event_timestamp",
    "initiating_entity",
    "reason_admin",
    "reason",
    "state",
    "change_type",
    "credential_type",
    "new-value",
    "http://schemas.openid.net/event/backchannel-logout",
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "https://schemas.openid.net/secevent/caep/event-type/credential-change",
    "https://schemas.openid.net/secevent/ssf/event-type/verification",
    "alg",
    "typ",
    "kid",
    "crit",
    "b64",
    "jwk",
    "x5c",
    "kty",
    "crv",
    "n",
    "e",
    "x",
    "y",
    "use",
    "key_ops",
    "keys",
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "end_session_endpoint",
    "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "scopes_supported",
    "backchannel_logout_supported",
    "authorization_response_iss_parameter_supported",
    "access_token",
    "token_type",
    "id_token",
    "$serde_json::private::RawValue",
    "$serde_json::private::Number",
];

/// One change of an object.
#[derive(Arbitrary, Debug, Clone)]
pub struct JsonEdit {
    /// The member to go into first, by its place.
    inside: Option<u8>,
    name: Name,
    /// `None` removes the member.
    value: Option<Json>,
}

#[derive(Arbitrary, Debug, Clone)]
enum Name {
    Known(u8),
    /// One that the object has, by its place.
    Present(u8),
    Other(Piece),
}

#[derive(Arbitrary, Debug, Clone)]
enum Json {
    Null,
    Bool(bool),
    Number(i64),
    Float(f64),
    /// Seconds from the value that is there, if it is a number.
    Later(i32),
    Text(Piece),
    /// The name of a member, which many values are.
    Word(u8),
    /// The text that is there, and more.
    Longer(Piece),
    /// What is there, in a list with these.
    List(Vec<Piece>),
    Object(Vec<(u8, Piece)>),
    /// So many lists in each other.
    Deep(u8),
    /// So many values in a list.
    Many(u16),
}

fn known(index: u8) -> String {
    NAMES[usize::from(index) % NAMES.len()].to_owned()
}

impl Json {
    fn value(&self, now: Option<&Value>) -> Value {
        let text = |piece: &Piece| Value::from(piece.text());
        match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => (*bool).into(),
            Self::Number(number) => (*number).into(),
            Self::Float(float) => (*float).into(),
            Self::Later(seconds) => {
                let now = now.and_then(Value::as_i64).unwrap_or_default();
                (now + i64::from(*seconds)).into()
            }
            Self::Text(piece) => text(piece),
            Self::Word(index) => known(*index).into(),
            Self::Longer(piece) => {
                let now = now.and_then(Value::as_str).unwrap_or_default();
                format!("{now}{}", piece.text()).into()
            }
            Self::List(pieces) => {
                let now = now.cloned().into_iter();
                now.chain(pieces.iter().map(text)).collect()
            }
            Self::Object(members) => members
                .iter()
                .map(|(name, piece)| (known(*name), text(piece)))
                .collect(),
            Self::Deep(depth) => (0..*depth).fold(Value::Null, |inner, _| vec![inner].into()),
            Self::Many(count) => vec![Value::from(0); usize::from(*count)].into(),
        }
    }
}

/// Changes an object.
pub fn edit_json(object: &mut Map<String, Value>, edits: &[JsonEdit]) {
    for JsonEdit {
        inside,
        name,
        value,
    } in edits
    {
        let mut object = &mut *object;
        if let Some(place) = inside {
            let mut inner: Vec<_> = object.values_mut().filter_map(innermost).collect();
            if !inner.is_empty() {
                let place = usize::from(*place) % inner.len();
                object = inner.swap_remove(place);
            } else {
                continue;
            }
        }
        let name = match name {
            Name::Known(index) => known(*index),
            Name::Present(place) => {
                let names: Vec<_> = object.keys().collect();
                match names.len() {
                    0 => continue,
                    count => names[usize::from(*place) % count].clone(),
                }
            }
            Name::Other(piece) => piece.text(),
        };
        match value {
            Some(value) => {
                let value = value.value(object.get(&name));
                object.insert(name, value);
            }
            None => drop(object.remove(&name)),
        }
    }
}

/// The object that a member is, or that its first member or element is.
fn innermost(value: &mut Value) -> Option<&mut Map<String, Value>> {
    match value {
        Value::Array(values) => values.first_mut().and_then(innermost),
        Value::Object(object) => match object.values().next() {
            Some(Value::Object(_)) if object.len() == 1 => {
                object.values_mut().next().and_then(innermost)
            }
            _ => Some(object),
        },
        _ => None,
    }
}
