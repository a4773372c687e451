//! A session at a provider.

use std::{fmt, time::Duration};

/// A session that a person has at a provider: the `sid` of OpenID Connect, and the issuer
/// within which it is unique.
///
/// A provider that names its sessions can end the logins of one of them, those of one browser
/// say, and leave the person's others alone.
///
/// ```
/// use axum_clef::ProviderSession;
///
/// let session = ProviderSession::new("https://id.example.com", "08a5019c");
/// assert_ne!(session, ProviderSession::new("https://id.example.org", "08a5019c"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProviderSession {
    issuer: String,
    id: String,
}

impl ProviderSession {
    /// How long a login lasts at the most that belongs to a session of a provider: 30 days,
    /// however [`ClefLayer::lifetime`](crate::ClefLayer::lifetime) is set. So a store may
    /// forget the end of such a session [a day later](Self::KEPT), and its table does not grow
    /// for ever.
    pub const LONGEST_LOGIN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// How long a store keeps the end of a session, by its own clock: 31 days.
    pub const KEPT: Duration = Duration::from_secs(31 * 24 * 60 * 60);

    /// The session that `issuer` (a URL) knows by `id`.
    pub fn new(issuer: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            id: id.into(),
        }
    }

    /// The URL of the provider that named the session.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its name there. Whoever knows it cannot log in with it, and logs are no place for it
    /// all the same.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Says where, and not which.
impl fmt::Debug for ProviderSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProviderSession")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
