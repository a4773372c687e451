//! The logins that a logout notice ends.

use crate::{ProviderSession, Subject};

/// The logins that a logout notice ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogoutScope {
    /// All logins of a user.
    Person(Subject),
    /// The logins of one session at the provider.
    #[non_exhaustive]
    Session {
        /// The session.
        session: ProviderSession,
        /// The user of the session, if the notice names one. All their logins end if the user store
        /// does not keep revocations.
        person: Option<Subject>,
    },
}

impl LogoutScope {
    /// The logins of one session, and its user if the notice names one.
    pub fn session(session: ProviderSession, person: Option<Subject>) -> Self {
        Self::Session { session, person }
    }

    /// The URL of the provider.
    pub fn issuer(&self) -> &str {
        match self {
            Self::Person(person) => person.issuer(),
            Self::Session { session, .. } => session.issuer(),
        }
    }
}
