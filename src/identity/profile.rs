//! The user at the provider: subject and profile.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ProviderTokens;

/// The identity of a user at a provider: an id, and the issuer within which it is unique.
///
/// Two subjects are the same user only if both parts are equal. Never identify a user by the e-mail
/// address, which can be reassigned.
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
    /// Creates a subject. `issuer` is a URL; `id` is text, even if it looks like a number.
    pub fn new(issuer: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            id: id.into(),
        }
    }

    /// The URL of the provider.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The id of the user at the provider.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Hides an id that is an e-mail address, as at some providers.
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

/// What a provider reports about the user who has just logged in.
///
/// Only the [`subject`](Self::subject) is always present. The other fields depend on the
/// permissions of the application. They are untrusted: escape them in HTML.
///
/// ```
/// use axum_clef::{Profile, Subject};
///
/// let mut profile = Profile::new(Subject::new("https://clef.example.com", "12345"));
/// profile.first_name = Some("Alex".to_owned());
/// assert_eq!(profile.name(), Some("Alex".to_owned()));
/// assert!(!format!("{profile:?}").contains("Alex"), "names are not logged");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The identity of the user. Find users by this only.
    pub subject: Subject,
    /// The first name, if the provider sends it.
    pub first_name: Option<String>,
    /// The last name, if the provider sends it.
    pub last_name: Option<String>,
    /// The e-mail address, if the provider sends it. Do not link accounts by it alone: the user may
    /// not own it.
    pub email: Option<String>,
    /// Whether the provider has verified the e-mail address; `None` if unknown.
    pub email_verified: Option<bool>,
    /// The phone number, if the provider sends it.
    pub phone_number: Option<String>,
    claims: Map<String, Value>,
    tokens: Option<ProviderTokens>,
}

impl Profile {
    /// Creates a profile with nothing but a subject.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            first_name: None,
            last_name: None,
            email: None,
            email_verified: None,
            phone_number: None,
            claims: Map::new(),
            tokens: None,
        }
    }

    /// Sets the claims.
    #[must_use]
    pub fn with_claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// All claims about the user by name, such as `groups` or `roles`.
    ///
    /// With OpenID Connect, they are the claims of the ID token and the user info. Empty for a
    /// provider without claims.
    ///
    /// ```
    /// use axum_clef::{Profile, Subject};
    /// use serde_json::json;
    ///
    /// let subject = Subject::new("https://id.example.com", "12345");
    /// let claims = [("groups".to_owned(), json!(["staff"]))];
    /// let profile = Profile::new(subject).with_claims(claims.into_iter().collect());
    /// assert_eq!(profile.claims()["groups"][0], "staff");
    /// ```
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Sets the tokens of the provider.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Option<ProviderTokens>) -> Self {
        self.tokens = tokens;
        self
    }

    /// The tokens of the provider, for calls to its API in the name of the user. `None` unless the
    /// provider is set to pass them, and issues some.
    ///
    /// Each login at the provider brings new ones, in its call of
    /// [`find_or_create`](crate::IdentityStore::find_or_create). A login can still be refused after
    /// that call.
    pub fn tokens(&self) -> Option<&ProviderTokens> {
        self.tokens.as_ref()
    }

    /// The first and the last name, joined; `None` without either.
    pub fn name(&self) -> Option<String> {
        let parts = [&self.first_name, &self.last_name];
        let names: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(" "))
    }
}

/// Shows the subject only: logs must not contain personal data.
impl fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Profile")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
