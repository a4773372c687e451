//! E-mail addresses.

use std::fmt;

/// What an address may be, for the user.
pub const ADDRESS_RULE: &str = "This is not an e-mail address such as alex@example.com.";

/// The longest address that a mail server takes, in bytes.
const LONGEST: usize = 254;

/// An e-mail address, in small letters: the name of a member, and where the mail goes. Both are the
/// same text. If mail went to the address as it was typed, the owner of another spelling could log
/// in as the member.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Reads what a visitor has typed. `None` if it is no address, or none of this plain form:
    /// letters, digits and some signs, in ASCII. So it is one address in a mail's header, too.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, domain) = text.split_once('@')?;
        let is_name =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
        let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let is_address = text.len() <= LONGEST
            && matches!(name.len(), 1..=64)
            && name.bytes().all(is_name)
            && domain.bytes().all(is_domain)
            && domain.contains('.')
            && [name, domain]
                .iter()
                .all(|part| part.split('.').all(|label| !label.is_empty()))
            && domain
                .split('.')
                .all(|label| !label.starts_with('-') && !label.ends_with('-'));
        is_address.then(|| Self(text.to_ascii_lowercase()))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Keeps it out of logs.
impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Address(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_mailbox() {
        for text in [
            "alex@example.com",
            " Alex@Example.COM ",
            "a.b+c@x-y.example.org",
            "o'neill@example.com",
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.as_str(), text.trim().to_ascii_lowercase());
            assert_eq!(format!("{address:?}"), "Address(..)");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("alex@{}.com", "a".repeat(250));
        for text in [
            "",
            "alex",
            "@example.com",
            "alex@",
            "alex@localhost",
            "alex@example..com",
            ".alex@example.com",
            "alex@-example.com",
            "alex@example.com.",
            "al ex@example.com",
            "alex@example.com,noor@example.com",
            "Alex <alex@example.com>",
            "alex@noor@example.com",
            "alex@example.com\r\nBcc: noor@example.com",
            "alex@example.com\0",
            "\"alex\"@example.com",
            "äpfel@example.com",
            "alex@exämple.com",
            "alex@[192.0.2.1]",
            &long,
            &longer,
        ] {
            assert!(Address::parse(text).is_none(), "{text:?}");
        }
    }
}
