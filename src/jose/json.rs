//! JSON objects without duplicate names.
//!
//! Parsers differ in which of two duplicate claims they use, so a check of one can miss the other.
//! RFC 7515 (section 4) and RFC 7519 (section 4) let a receiver reject such a token.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The name of a member whose text serde_json parses again, with its feature `raw_value`.
const PARSED_AGAIN: &str = "$serde_json::private::RawValue";

/// Reads an object. Returns `None` for anything else, or for a duplicate name at any depth.
pub(crate) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice::<Unambiguous>(text).ok()?;
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// JSON without duplicate names. Its depth is limited by serde_json.
///
/// It has no values: with the feature `arbitrary_precision`, which any crate of an application can
/// switch on, numbers with a fraction arrive as maps.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without duplicate names")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self, A::Error> {
        while sequence.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((Name(name), Self)) = members.next_entry::<Name<'_>, Self>()? {
            if name == PARSED_AGAIN || !names.insert(name) {
                return Err(A::Error::custom("duplicate name"));
            }
        }
        Ok(self)
    }
}

/// The name of a member. It is borrowed unless it has escapes, so that a token with many names costs
/// no allocation for each.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(name.into()))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(name.to_owned().into()))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_names_everything_once() {
        let text = br#"{"a":[1,-1,1.5,true,null,"x\u0000",{"a":{}}],"b":{"a":1}}"#;
        assert_eq!(object(text), serde_json::from_slice(text).ok());
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"b":[{"a":1,"a":2}]}"#,
            r#"{"b":{"$serde_json::private::RawValue":"{\"a\":1,\"a\":2}"}}"#,
            r#"{"a":1} "#.repeat(2).as_str(),
            "[]",
            "null",
            "",
            "{",
            &format!("{{\"a\":{}", "[".repeat(10_000)),
        ] {
            assert_eq!(object(bad.as_bytes()), None, "{bad}");
        }
    }
}
