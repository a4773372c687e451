//! Whom an event is about.

use serde_json::{Map, Value};

use super::dialect::Dialect;
use crate::SubjectIdentifier;

/// The members of a complex subject that SSF 1.0 defines (section 3.3).
pub(super) const MEMBERS: [&str; 7] = [
    "user",
    "session",
    "device",
    "application",
    "tenant",
    "org_unit",
    "group",
];

/// Whom an event is about: one identifier, or several that narrow each other (SSF 1.0, section
/// 3.3). An absent one is any.
///
/// The identifier of a simple subject is the [`user`](Self::user), whatever it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSubject {
    /// The user.
    pub user: Option<SubjectIdentifier>,
    /// A session of the user at the sender.
    pub session: Option<SubjectIdentifier>,
    /// A device of the user.
    pub device: Option<SubjectIdentifier>,
    /// An application of the user.
    pub application: Option<SubjectIdentifier>,
    /// The tenant of the user.
    pub tenant: Option<SubjectIdentifier>,
    /// The organizational unit of the user.
    pub org_unit: Option<SubjectIdentifier>,
    /// A group of the user.
    pub group: Option<SubjectIdentifier>,
    /// Whether it has one identifier, which may name anything.
    pub is_simple: bool,
}

impl EventSubject {
    /// Reads a subject. `None` if it is malformed.
    pub(super) fn read(subject: &Value, dialect: Dialect) -> Option<Self> {
        let members = subject.as_object()?;
        if !is_complex(members)? {
            return Some(Self {
                user: Some(identifier(members, dialect)?),
                is_simple: true,
                ..Self::default()
            });
        }
        // `None` for a malformed member, `Some(None)` for an absent one.
        let member = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(member) => identifier(member.as_object()?, dialect).map(Some),
        };
        let subject = Self {
            user: member("user")?,
            session: member("session")?,
            device: member("device")?,
            application: member("application")?,
            tenant: member("tenant")?,
            org_unit: member("org_unit")?,
            group: member("group")?,
            is_simple: false,
        };
        (subject != Self::default()).then_some(subject)
    }
}

/// Whether a subject with these members is complex. `None` if its format is malformed.
fn is_complex(members: &Map<String, Value>) -> Option<bool> {
    let is_object = |name: &str| members.get(name).is_some_and(Value::is_object);
    match members.get("format") {
        Some(format) => Some(format.as_str()? == "complex"),
        // Drafts had complex subjects without a format.
        None => Some(is_object("user") || is_object("session")),
    }
}

/// The names of the members of a complex subject, also of those that SSF 1.0 does not define. Of a
/// simple subject there are none.
pub(super) fn member_names(subject: &Value) -> impl Iterator<Item = &str> {
    let members = subject.as_object();
    let members = members.filter(|members| is_complex(members) == Some(true));
    let present = members
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null());
    let names = present.map(|(name, _)| name.as_str());
    names.filter(|name| *name != "format")
}

/// Reads one identifier (RFC 9493, section 3). `None` if it is malformed.
fn identifier(members: &Map<String, Value>, dialect: Dialect) -> Option<SubjectIdentifier> {
    let mut members = members.clone();
    if dialect == Dialect::Google
        && !members.contains_key("format")
        && let Some(Value::String(kind)) = members.remove("subject_type")
    {
        let format = match kind.as_str() {
            "iss-sub" | "iss_sub" | "id_token_claims" => "iss_sub",
            other => other,
        };
        members.insert("format".to_owned(), format.into());
    }
    serde_json::from_value(Value::Object(members)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Subject;

    fn read(subject: Value) -> Option<EventSubject> {
        EventSubject::read(&subject, Dialect::Standard)
    }

    #[test]
    fn simple_and_complex_subjects_are_told_apart() {
        let user = json!({ "format": "iss_sub", "iss": "https://id.test", "sub": "alex" });
        let session = json!({ "format": "opaque", "id": "1" });
        let alex = SubjectIdentifier::IssSub(Subject::new("https://id.test", "alex"));
        let simple = read(user.clone()).unwrap();
        assert_eq!(simple.user, Some(alex.clone()));
        assert!(simple.is_simple);
        for format in [json!("complex"), Value::Null] {
            let mut complex = json!({ "user": user, "session": session, "more": 1 });
            if !format.is_null() {
                complex["format"] = format;
            }
            let complex = read(complex).unwrap();
            assert_eq!(complex.user, Some(alex.clone()));
            assert!(complex.session.is_some() && !complex.is_simple);
        }
        for bad in [
            json!("alex"),
            json!({}),
            json!({ "format": 1 }),
            json!({ "format": "complex" }),
            json!({ "format": "complex", "user": "alex" }),
            json!({ "format": "complex", "user": { "format": "email" } }),
            json!({ "subject_type": "iss-sub", "iss": "https://id.test", "sub": "alex" }),
        ] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn complex_subjects_alone_have_members() {
        let tenant = json!({ "format": "opaque", "id": "1" });
        let names = |subject: Value| {
            let names = member_names(&subject).map(str::to_owned);
            names.collect::<Vec<_>>()
        };
        for format in [json!("complex"), Value::Null] {
            let mut complex = json!({ "tenant": tenant, "more": 1, "device": null, "user": {} });
            if !format.is_null() {
                complex["format"] = format;
            }
            let mut names = names(complex);
            names.sort();
            assert_eq!(names, ["more", "tenant", "user"]);
        }
        for simple in [
            tenant,
            json!("tenant"),
            json!({ "format": 1, "tenant": {} }),
            json!({ "tenant": {} }),
        ] {
            assert!(names(simple.clone()).is_empty(), "{simple}");
        }
    }

    #[test]
    fn google_has_words_of_its_own() {
        for kind in ["iss-sub", "iss_sub", "id_token_claims"] {
            let subject = json!({
                "subject_type": kind, "iss": "https://id.test", "sub": "alex", "email": "alex@id.test",
            });
            let read = EventSubject::read(&subject, Dialect::Google).unwrap();
            let alex = SubjectIdentifier::IssSub(Subject::new("https://id.test", "alex"));
            assert_eq!(read.user, Some(alex));
        }
    }
}
