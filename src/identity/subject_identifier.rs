//! How a notice names a person: the subject identifiers of RFC 9493.

use std::{fmt, slice};

use serde::Deserialize;

use super::Subject;

/// The longest text of an identifier, in bytes.
const LONGEST_TEXT: usize = 1_024;
/// How many identifiers of one person a list may have.
const MOST_ALIASES: usize = 16;

/// How a notice names a person: a subject identifier (RFC 9493, section 3.2).
///
/// It is deserialized from its JSON object, whose `format` says how to read it. Members that the
/// format does not define are ignored. An empty text, a text of more than 1,024 bytes and a missing
/// member are errors; a format that is not listed here is [`Unknown`](Self::Unknown).
///
/// ```
/// use axum_clef::{Subject, SubjectIdentifier};
/// use serde_json::json;
///
/// let named = json!({ "format": "iss_sub", "iss": "https://id.example.com", "sub": "12345" });
/// let named: SubjectIdentifier = serde_json::from_value(named)?;
/// let alex = Subject::new("https://id.example.com", "12345");
/// assert_eq!(named, SubjectIdentifier::IssSub(alex));
///
/// let named = json!({ "format": "email", "email": "alex@example.com" });
/// let named: SubjectIdentifier = serde_json::from_value(named)?;
/// assert_eq!(format!("{named:?}"), "SubjectIdentifier(email)", "addresses are not logged");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "Members")]
#[non_exhaustive]
pub enum SubjectIdentifier {
    /// `iss_sub`: an issuer and the id of a subject there.
    IssSub(Subject),
    /// `email`: an e-mail address, as the sender writes it.
    Email(String),
    /// `opaque`: an id that only its issuer and this site understand.
    Opaque(String),
    /// `phone_number`: a phone number, such as `+12065550100` (E.164).
    PhoneNumber(String),
    /// `account`: the `acct` URI of an account (RFC 7565).
    Account(String),
    /// `did`: the URL of a decentralized identifier.
    Did(String),
    /// `uri`: any other URI.
    Uri(String),
    /// `aliases`: several identifiers of one person, 1 to 16, and no list among them.
    Aliases(Vec<SubjectIdentifier>),
    /// A format that this crate does not know. No user has it.
    Unknown,
}

/// The members of the JSON object.
#[derive(Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
enum Members {
    IssSub {
        iss: String,
        sub: String,
    },
    Email {
        email: String,
    },
    Opaque {
        id: String,
    },
    PhoneNumber {
        phone_number: String,
    },
    Account {
        uri: String,
    },
    Did {
        url: String,
    },
    Uri {
        uri: String,
    },
    Aliases {
        identifiers: Vec<SubjectIdentifier>,
    },
    #[serde(other)]
    Unknown,
}

/// Why the members are no identifier.
#[derive(Debug, thiserror::Error)]
enum MembersError {
    #[error("a subject identifier has a text that is empty or longer than 1,024 bytes")]
    Text,
    #[error("a list of aliases has 1 to 16 identifiers, and no list among them")]
    Aliases,
}

impl TryFrom<Members> for SubjectIdentifier {
    type Error = MembersError;

    fn try_from(members: Members) -> Result<Self, MembersError> {
        Ok(match members {
            Members::IssSub { iss, sub } => Self::IssSub(Subject::new(text(iss)?, text(sub)?)),
            Members::Email { email } => Self::Email(text(email)?),
            Members::Opaque { id } => Self::Opaque(text(id)?),
            Members::PhoneNumber { phone_number } => Self::PhoneNumber(text(phone_number)?),
            Members::Account { uri } => Self::Account(text(uri)?),
            Members::Did { url } => Self::Did(text(url)?),
            Members::Uri { uri } => Self::Uri(text(uri)?),
            Members::Aliases { identifiers } => {
                let mut all = identifiers.iter();
                let is_nested = all.any(|alias| matches!(alias, Self::Aliases(_)));
                if is_nested || !(1..=MOST_ALIASES).contains(&identifiers.len()) {
                    return Err(MembersError::Aliases);
                }
                Self::Aliases(identifiers)
            }
            Members::Unknown => Self::Unknown,
        })
    }
}

fn text(text: String) -> Result<String, MembersError> {
    match (1..=LONGEST_TEXT).contains(&text.len()) {
        true => Ok(text),
        false => Err(MembersError::Text),
    }
}

impl SubjectIdentifier {
    /// The name of the format; `unknown` for one that this crate does not know.
    pub fn format(&self) -> &'static str {
        match self {
            Self::IssSub(_) => "iss_sub",
            Self::Email(_) => "email",
            Self::Opaque(_) => "opaque",
            Self::PhoneNumber(_) => "phone_number",
            Self::Account(_) => "account",
            Self::Did(_) => "did",
            Self::Uri(_) => "uri",
            Self::Aliases(_) => "aliases",
            Self::Unknown => "unknown",
        }
    }

    /// The identifiers of a list, or this one alone.
    pub(crate) fn aliases(&self) -> &[Self] {
        match self {
            Self::Aliases(aliases) => aliases,
            one => slice::from_ref(one),
        }
    }

    /// All texts in order. Identifiers that differ have other texts.
    pub(crate) fn texts(&self) -> Vec<&str> {
        let mut texts = vec![self.format()];
        match self {
            Self::IssSub(subject) => texts.extend([subject.issuer(), subject.id()]),
            Self::Email(text)
            | Self::Opaque(text)
            | Self::PhoneNumber(text)
            | Self::Account(text)
            | Self::Did(text)
            | Self::Uri(text) => texts.push(text),
            Self::Aliases(aliases) => texts.extend(aliases.iter().flat_map(Self::texts)),
            Self::Unknown => {}
        }
        texts
    }
}

/// Shows the format only: the rest is personal data.
impl fmt::Debug for SubjectIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SubjectIdentifier({})", self.format())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(json: Value) -> Result<SubjectIdentifier, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn each_format_is_read_and_shows_nothing() {
        let uri = "acct:alex@example.com";
        let mut aliases = Vec::new();
        for (json, expected) in [
            (
                json!({ "format": "iss_sub", "iss": "https://id.test", "sub": "alex@x" }),
                SubjectIdentifier::IssSub(Subject::new("https://id.test", "alex@x")),
            ),
            (
                json!({ "format": "email", "email": "alex@x", "more": [1] }),
                SubjectIdentifier::Email("alex@x".to_owned()),
            ),
            (
                json!({ "format": "opaque", "id": "alex" }),
                SubjectIdentifier::Opaque("alex".to_owned()),
            ),
            (
                json!({ "format": "phone_number", "phone_number": "+12065550100" }),
                SubjectIdentifier::PhoneNumber("+12065550100".to_owned()),
            ),
            (
                json!({ "format": "account", "uri": uri }),
                SubjectIdentifier::Account(uri.to_owned()),
            ),
            (
                json!({ "format": "did", "url": "did:example:alex" }),
                SubjectIdentifier::Did("did:example:alex".to_owned()),
            ),
            (
                json!({ "format": "uri", "uri": uri }),
                SubjectIdentifier::Uri(uri.to_owned()),
            ),
            (
                json!({ "format": "complex", "user": { "format": "email", "email": "" } }),
                SubjectIdentifier::Unknown,
            ),
        ] {
            aliases.push(json.clone());
            let read = read(json).unwrap();
            assert_eq!(read, expected);
            let shown = format!("{read:?}");
            assert!(!shown.contains("alex") && !shown.contains("206"), "{shown}");
            assert_eq!(read.aliases(), [expected]);
        }
        let count = aliases.len();
        let list = read(json!({ "format": "aliases", "identifiers": aliases })).unwrap();
        assert_eq!(list.aliases().len(), count);
        assert_eq!(format!("{list:?}"), "SubjectIdentifier(aliases)");
    }

    #[test]
    fn malformed_identifiers_are_no_unknown_ones() {
        let email = |email: &str| json!({ "format": "email", "email": email });
        let aliases = |all: Vec<Value>| json!({ "format": "aliases", "identifiers": all });
        for json in [
            json!({}),
            json!([]),
            json!("email"),
            json!({ "email": "alex@x" }),
            json!({ "format": 1, "email": "alex@x" }),
            json!({ "format": "email" }),
            json!({ "format": "email", "email": null }),
            json!({ "format": "email", "email": ["alex@x"] }),
            json!({ "format": "iss_sub", "iss": "https://id.test" }),
            email(""),
            email(&"x".repeat(LONGEST_TEXT + 1)),
            aliases(vec![]),
            aliases(vec![email("x"); MOST_ALIASES + 1]),
            aliases(vec![email("x"), email("")]),
            aliases(vec![aliases(vec![email("x")])]),
        ] {
            let shown = json.to_string();
            assert!(read(json).is_err(), "{shown}");
        }
        assert!(read(email(&"x".repeat(LONGEST_TEXT))).is_ok());
        assert!(read(aliases(vec![email("x"); MOST_ALIASES])).is_ok());
        let twice = r#"{ "format": "email", "email": "one@x", "email": "other@x" }"#;
        assert!(serde_json::from_str::<SubjectIdentifier>(twice).is_err());
    }
}
