//! Who somebody is, in the words of the provider that vouches for them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who a person is to a provider: an id, and the issuer within which it is unique.
///
/// Two subjects are the same person only if both agree. Compare nothing else: an
/// e-mail address can change hands.
///
/// ```
/// use axum_clef::Subject;
///
/// let alex = Subject::new("https://clef.example.com", "12345");
/// assert_eq!(alex.id(), "12345");
/// assert_ne!(alex, Subject::new("https://clef.example", "12345"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    issuer: String,
    id: String,
}

impl Subject {
    /// The person whom `issuer` (a URL) knows by `id` (text, even where it looks like
    /// a number).
    pub fn new(issuer: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            id: id.into(),
        }
    }

    /// The URL of the provider that gave the id.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The id of the person there.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Leaves out an id that is an e-mail address, as some providers make it.
impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = if self.id.contains('@') {
            "(an e-mail address)"
        } else {
            &self.id
        };
        formatter
            .debug_struct("Subject")
            .field("issuer", &self.issuer)
            .field("id", &id)
            .finish()
    }
}

/// What a provider tells about the person who has just logged in.
///
/// Only the [`subject`](Self::subject) is sure to be there. The rest depends on what
/// the application may see, and is the provider's word: escape it where you show it.
///
/// ```
/// use axum_clef::{Profile, Subject};
///
/// let mut profile = Profile::new(Subject::new("https://clef.example.com", "12345"));
/// profile.first_name = Some("Alex".to_owned());
/// assert_eq!(profile.name(), Some("Alex".to_owned()));
/// assert!(!format!("{profile:?}").contains("Alex"), "logs stay quiet");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Who it is. The only thing to find a user by.
    pub subject: Subject,
    /// The first name, where the provider gives it.
    pub first_name: Option<String>,
    /// The last name, where the provider gives it.
    pub last_name: Option<String>,
    /// The e-mail address, where the provider gives it. Linking accounts by it alone
    /// is risky: it is the provider's word, not a proof.
    pub email: Option<String>,
    /// The phone number, where the provider gives it.
    pub phone_number: Option<String>,
}

impl Profile {
    /// A profile of which nothing is known but the subject.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            first_name: None,
            last_name: None,
            email: None,
            phone_number: None,
        }
    }

    /// First and last name as one, of what there is.
    pub fn name(&self) -> Option<String> {
        let parts = [&self.first_name, &self.last_name];
        let names: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(" "))
    }
}

/// Says who, and nothing that the person would not want in a log.
impl fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Profile")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
