//! A session at a provider.

use std::{fmt, time::Duration};

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
#[derive(Clone, PartialEq, Eq, Hash)]
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
