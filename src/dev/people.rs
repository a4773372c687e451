use serde_json::Value;

/// One of the people who can log in at the [`ClefService`](super::ClefService).
///
/// Real Clef ids were told per application; here a person has one id for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// The id, as text. On the wire it is a JSON number or a JSON string; compare it as text.
    pub id: &'static str,
    /// The first name.
    pub first_name: &'static str,
    /// The last name.
    pub last_name: &'static str,
    /// The e-mail address.
    pub email: &'static str,
    /// The phone number, ten digits.
    pub phone_number: &'static str,
    /// The id once more if it goes over the wire as a number.
    number: Option<u64>,
}

impl Person {
    /// The id as `info.id` and `clef_id` carry it.
    pub(super) fn id_on_the_wire(&self) -> Value {
        match self.number {
            Some(number) => number.into(),
            None => self.id.into(),
        }
    }
}

/// The people, one for each shape that an id had on the wire.
///
/// | person | id | on the wire |
/// |---|---|---|
/// | Alex, the test person that Clef published | `12345` | string |
/// | Noor | `6283383571`, more than 32 bits hold | number |
/// | Teo | 32 hex digits | string |
pub static PEOPLE: [Person; 3] = [
    Person {
        id: "12345",
        first_name: "Alex",
        last_name: "Rivers",
        email: "alex@getclef.com",
        phone_number: "2025550112",
        number: None,
    },
    Person {
        id: "6283383571",
        first_name: "Noor",
        last_name: "Haddad",
        email: "noor@example.com",
        phone_number: "2025550147",
        number: Some(6_283_383_571),
    },
    Person {
        id: "7c1e90b4d2a85f36e07b41c9a6d83f52",
        first_name: "Teo",
        last_name: "Lindqvist",
        email: "teo@example.com",
        phone_number: "2025550183",
        number: None,
    },
];

/// The person with exactly this id.
pub(super) fn find(id: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id)
}

/// The person of the published test code.
pub(super) fn published() -> &'static Person {
    &PEOPLE[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_on_the_wire_reads_like_the_id() {
        for person in &PEOPLE {
            match person.id_on_the_wire() {
                Value::Number(number) => assert_eq!(number.to_string(), person.id),
                Value::String(text) => assert_eq!(text, person.id),
                other => panic!("{other} is no id"),
            }
        }
    }

    #[test]
    fn every_shape_of_id_is_there() {
        assert_eq!(published().id_on_the_wire(), Value::from("12345"));
        assert!(
            PEOPLE
                .iter()
                .any(|person| person.number > Some(u32::MAX.into()))
        );
        assert!(PEOPLE.iter().any(|person| person.number.is_none()
            && person.id.len() == 32
            && person.id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }
}
