//! The keys of logins: what a provider names, and what a revocation is recorded under.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{LoginId, Subject};

/// A session of a user at a provider: the `sid` of OpenID Connect, and the issuer within which it
/// is unique.
///
/// A provider that names its sessions can end the logins of one of them, such as one browser, and
/// keep the user's other logins.
///
/// ```
/// use axum_clef::ProviderSession;
///
/// let session = ProviderSession::new("https://id.example.com", "08a5019c");
/// assert_ne!(session, ProviderSession::new("https://id.example.org", "08a5019c"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProviderSession {
    issuer: String,
    id: String,
}

impl ProviderSession {
    /// The longest login with a session at a provider: 30 days, whatever
    /// [`lifetime`](crate::ClefLayerBuilder::lifetime) is.
    ///
    /// So a store can delete the end of a session [a day later](Self::KEPT), which bounds its
    /// table.
    pub const LONGEST_LOGIN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// How long a store keeps the end of a session, by its clock: 31 days.
    pub const KEPT: Duration = Duration::from_secs(31 * 24 * 60 * 60);

    /// Creates a session. `issuer` is a URL.
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

    /// The id of the session at the provider. It is not a credential, but keep it out of logs.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Shows the issuer only.
impl fmt::Debug for ProviderSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProviderSession")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// The key of a login at its provider, by which a logout notice ends single logins of a user.
///
/// At a provider that names its sessions, it is the session, or the subject for a login without
/// one. Logins at other providers have no key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKey<'a> {
    /// One session at the provider.
    Session {
        /// The URL of the provider.
        issuer: &'a str,
        /// The id of the session, the `sid` of OpenID Connect.
        id: &'a str,
    },
    /// A subject, for its logins without a session.
    Subject {
        /// The URL of the provider.
        issuer: &'a str,
        /// The id of the subject, the `sub` of OpenID Connect.
        id: &'a str,
    },
}

/// The key under which [`UserStore::revoke`](crate::UserStore::revoke) records the end of logins.
///
/// A login falls under several keys: its own id, the key at its provider, the provider, and the
/// site. See [`LoginReference::revocation_keys`](crate::LoginReference::revocation_keys).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevocationKey {
    /// One login, which the user has signed out.
    Login(LoginId),
    /// The logins of one session at a provider.
    Session(ProviderSession),
    /// The logins of a subject without a session at the provider.
    Subject(Subject),
    /// The logins of a subject that was not a user at the time of the logout. Its first login may
    /// have been in progress.
    UnknownSubject(Subject),
    /// Every login that a provider vouched for, by the URL of the provider.
    Issuer(String),
    /// Every login of the site.
    Everyone,
}

impl RevocationKey {
    /// The kind of key, as a word for a table column.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Login(_) => "login",
            Self::Session(_) => "session",
            Self::Subject(_) => "subject",
            Self::UnknownSubject(_) => "unknown subject",
            Self::Issuer(_) => "issuer",
            Self::Everyone => "everyone",
        }
    }

    /// This key as the key of a login at its provider, if it is one.
    pub fn provider_key(&self) -> Option<ProviderKey<'_>> {
        match self {
            Self::Session(session) => Some(ProviderKey::Session {
                issuer: session.issuer(),
                id: session.id(),
            }),
            Self::Subject(subject) => Some(ProviderKey::Subject {
                issuer: subject.issuer(),
                id: subject.id(),
            }),
            Self::Login(_) | Self::UnknownSubject(_) | Self::Issuer(_) | Self::Everyone => None,
        }
    }

    /// The URL of the provider; empty for a single login and for every login of the site.
    pub fn issuer(&self) -> &str {
        match self {
            Self::Login(_) | Self::Everyone => "",
            Self::Issuer(issuer) => issuer,
            Self::Session(session) => session.issuer(),
            Self::Subject(subject) | Self::UnknownSubject(subject) => subject.issuer(),
        }
    }

    /// The id, unique within the kind and the issuer. Empty where a key ends all logins of the
    /// issuer or of the site.
    pub fn id(&self) -> String {
        match self {
            Self::Issuer(_) | Self::Everyone => String::new(),
            Self::Login(id) => id.to_string(),
            Self::Session(session) => session.id().to_owned(),
            Self::Subject(subject) | Self::UnknownSubject(subject) => subject.id().to_owned(),
        }
    }
}

impl From<ProviderKey<'_>> for RevocationKey {
    fn from(key: ProviderKey<'_>) -> Self {
        match key {
            ProviderKey::Session { issuer, id } => Self::Session(ProviderSession::new(issuer, id)),
            ProviderKey::Subject { issuer, id } => Self::Subject(Subject::new(issuer, id)),
        }
    }
}

/// Like [`RevocationKey`], without session ids and e-mail addresses.
impl fmt::Debug for ProviderKey<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        RevocationKey::from(*self).fmt(formatter)
    }
}
