//! Whose logins a logout ends.

use crate::{ProviderSession, Subject};

/// Whose logins a logout ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogoutScope {
    /// All of a person's.
    Person(Subject),
    /// Those of one session at the provider.
    #[non_exhaustive]
    Session {
        /// The session.
        session: ProviderSession,
        /// Whose it is, if the provider says so. Where the user store does not keep sessions of
        /// providers, all logins of this person end.
        person: Option<Subject>,
    },
}

impl LogoutScope {
    /// The logins of one session, of this person where the provider says so.
    pub fn session(session: ProviderSession, person: Option<Subject>) -> Self {
        Self::Session { session, person }
    }

    /// The URL of the provider that says so.
    pub fn issuer(&self) -> &str {
        match self {
            Self::Person(person) => person.issuer(),
            Self::Session { session, .. } => session.issuer(),
        }
    }
}
