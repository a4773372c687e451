use std::{borrow::Cow, fmt};

use serde_json::Value;

/// The longest id, in bytes.
const LONGEST_ID: usize = 64;

/// Somebody who can log in at the [`ClefService`](super::ClefService).
///
/// Real Clef ids were told per application; here a person has one id for all of them.
///
/// ```
/// use clef_dev::Person;
///
/// let maya = Person::new("4283383571", "Maya", "Okafor").with_email("maya@example.com");
/// assert_eq!(maya.name(), "Maya Okafor");
/// assert_eq!(maya.phone_number(), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    id: Cow<'static, str>,
    first_name: Cow<'static, str>,
    last_name: Cow<'static, str>,
    email: Option<Cow<'static, str>>,
    phone_number: Option<Cow<'static, str>>,
    /// The id once more if it goes over the wire as a number.
    number: Option<u64>,
}

impl Person {
    /// Somebody of whom sites learn no more than a name.
    ///
    /// The id has up to 64 letters, digits, hyphens and underscores of ASCII. One of digits only
    /// goes over the wire as a JSON number, as in Clef's production, any other as a JSON string.
    pub fn new(
        id: impl Into<String>,
        first_name: impl Into<String>,
        last_name: impl Into<String>,
    ) -> Self {
        let id = id.into();
        Self {
            number: id
                .parse()
                .ok()
                .filter(|number: &u64| number.to_string() == id),
            id: Cow::Owned(id),
            first_name: Cow::Owned(first_name.into()),
            last_name: Cow::Owned(last_name.into()),
            email: None,
            phone_number: None,
        }
    }

    /// Gives the person an e-mail address.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(Cow::Owned(email.into()));
        self
    }

    /// Gives the person a phone number.
    #[must_use]
    pub fn with_phone_number(mut self, phone_number: impl Into<String>) -> Self {
        self.phone_number = Some(Cow::Owned(phone_number.into()));
        self
    }

    /// The id, as text. On the wire it is a JSON number or a JSON string; compare it as text.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The first name.
    #[must_use]
    pub fn first_name(&self) -> &str {
        &self.first_name
    }

    /// The last name.
    #[must_use]
    pub fn last_name(&self) -> &str {
        &self.last_name
    }

    /// First and last name, as the pages write it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
            .trim()
            .to_owned()
    }

    /// The e-mail address, if sites are told one.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The phone number, if sites are told one.
    #[must_use]
    pub fn phone_number(&self) -> Option<&str> {
        self.phone_number.as_deref()
    }

    /// The id as `info.id` and `clef_id` carry it.
    pub(super) fn id_on_the_wire(&self) -> Value {
        match self.number {
            Some(number) => number.into(),
            None => self.id().into(),
        }
    }

    /// What is wrong with the person, for whoever registers them.
    pub(super) fn fault(&self) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if self.id.is_empty() || self.id.len() > LONGEST_ID || !self.id.bytes().all(plain) {
            return Some(format!(
                "The id {:?} of a person must have 1 to {LONGEST_ID} letters, digits, hyphens and \
                 underscores of ASCII.",
                self.id
            ));
        }
        self.name()
            .is_empty()
            .then(|| format!("The person with the id {:?} needs a name.", self.id))
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The people who are there from the start, one for each shape that an id had on the wire.
///
/// | person | id | on the wire |
/// |---|---|---|
/// | Alex, the test person that Clef published | `12345` | string |
/// | Noor | `6283383571`, more than 32 bits hold | number |
/// | Teo | 32 hex digits | string |
pub static PEOPLE: [Person; 3] = [
    built_in(
        "12345",
        None,
        ["Alex", "Rivers", "alex@getclef.com", "2025550112"],
    ),
    built_in(
        "6283383571",
        Some(6_283_383_571),
        ["Noor", "Haddad", "noor@example.com", "2025550147"],
    ),
    built_in(
        "7c1e90b4d2a85f36e07b41c9a6d83f52",
        None,
        ["Teo", "Lindqvist", "teo@example.com", "2025550183"],
    ),
];

const fn built_in(
    id: &'static str,
    number: Option<u64>,
    [first_name, last_name, email, phone_number]: [&'static str; 4],
) -> Person {
    Person {
        id: Cow::Borrowed(id),
        first_name: Cow::Borrowed(first_name),
        last_name: Cow::Borrowed(last_name),
        email: Some(Cow::Borrowed(email)),
        phone_number: Some(Cow::Borrowed(phone_number)),
        number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_on_the_wire_reads_like_the_id() {
        let numbers = ["0", "7", "4283383571", "18446744073709551615"];
        for id in numbers {
            let person = Person::new(id, "A", "B");
            assert_eq!(person.id_on_the_wire().to_string(), id);
            assert!(person.id_on_the_wire().is_number());
        }
        for id in ["007", "+7", "18446744073709551616", "a1", ""] {
            let person = Person::new(id, "A", "B");
            assert_eq!(person.id_on_the_wire(), Value::from(id));
        }
    }

    #[test]
    fn every_shape_of_id_is_there() {
        let [alex, noor, teo] = PEOPLE.each_ref().map(Person::id_on_the_wire);
        assert_eq!(alex, Value::from("12345"));
        assert!(noor.as_u64() > Some(u32::MAX.into()));
        assert_eq!(noor.to_string(), PEOPLE[1].id());
        let teo = teo.as_str().unwrap();
        assert!(teo.len() == 32 && teo.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn an_id_that_fits_no_address_is_explained() {
        let long = "a".repeat(LONGEST_ID + 1);
        for id in ["", "a b", "a/b", "é", "?", &long] {
            assert!(Person::new(id, "A", "B").fault().is_some(), "{id}");
        }
        assert_eq!(Person::new("a-B_9", "A", "").fault(), None);
        assert!(Person::new("1", "", " ").fault().is_some());
        assert!(PEOPLE.iter().all(|person| person.fault().is_none()));
    }
}
