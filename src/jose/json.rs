//! JSON objects without duplicate names.
//!
//! Parsers differ in which of two duplicate claims they use, so a check of one can miss the other.
//! RFC 7515 (section 4) and RFC 7519 (section 4) let a receiver reject such a token.

use std::{borrow::Cow, cell::Cell, collections::HashSet, fmt};

use serde::de::{self, Deserialize, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Value};

/// The most values in text of any client, at all depths together: one costs far more than its bytes.
/// A notice has some ten.
const MOST_VALUES: usize = 256;
/// The name of a member whose text serde_json parses again, with its feature `raw_value`.
const PARSED_AGAIN: &str = "$serde_json::private::RawValue";

/// Reads an object. Returns `None` for anything else, or for a duplicate name at any depth.
pub(crate) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    object_within(text, usize::MAX)
}

/// Like [`object`], for text of any client: returns `None` too for more than [`MOST_VALUES`] values.
pub(crate) fn small_object(text: &[u8]) -> Option<Map<String, Value>> {
    object_within(text, MOST_VALUES)
}

fn object_within(text: &[u8], most: usize) -> Option<Map<String, Value>> {
    let left = Cell::new(most);
    let mut deserializer = Deserializer::from_slice(text);
    Unambiguous { left: &left }
        .deserialize(&mut deserializer)
        .ok()?;
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// JSON without duplicate names, and with a limited number of values. Its depth is limited by
/// serde_json.
///
/// It has no values itself: with the feature `arbitrary_precision`, which any crate of an application
/// can switch on, numbers with a fraction arrive as maps.
#[derive(Clone, Copy)]
struct Unambiguous<'a> {
    /// How many values may follow.
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Unambiguous<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let left = self.left.get().checked_sub(1);
        let left = left.ok_or_else(|| D::Error::custom("too many values"))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unambiguous<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without duplicate names")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(Name(name)) = members.next_key()? {
            if name == PARSED_AGAIN || !names.insert(name) {
                return Err(A::Error::custom("duplicate name"));
            }
            members.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// The name of a member. It is borrowed unless it has escapes, so that a token with many names costs
/// no allocation for each.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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

    #[test]
    fn values_count_at_every_depth() {
        let text = br#"{"a":[1,{"b":2}],"c":"d"}"#;
        for (most, is_read) in [(0, false), (5, false), (6, true), (100, true)] {
            assert_eq!(object_within(text, most).is_some(), is_read, "{most}");
        }
    }
}
