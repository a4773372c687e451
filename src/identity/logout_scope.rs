//! What a logout notice ends.

use super::{ProviderSession, Subject, SubjectIdentifier};

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
    /// The logins of one session at the provider, and all logins of the user whose session it is, if
    /// the user store [notes sessions](crate::IdentityStore::notes_sessions).
    SessionUser(ProviderSession),
    /// The logins of one session at the provider, if the user store
    /// [noted it](crate::IdentityStore::notes_sessions). An unknown session leaves nothing in the
    /// store: for notices that anyone can send.
    NotedSession(ProviderSession),
    /// All logins of the users whom the user store [knows](crate::IdentityStore::users_of) by this
    /// identifier.
    #[non_exhaustive]
    Identified {
        /// The URL of the provider that names the person.
        issuer: String,
        /// How it names them.
        identifier: SubjectIdentifier,
    },
}

impl LogoutScope {
    /// The logins of one session, and its user if the notice names one.
    pub fn session(session: ProviderSession, person: Option<Subject>) -> Self {
        Self::Session { session, person }
    }

    /// All logins of the person whom the provider at `issuer` names so: a
    /// [`Person`](Self::Person) where it names an issuer and a subject.
    pub fn identified(issuer: impl Into<String>, identifier: SubjectIdentifier) -> Self {
        match identifier {
            SubjectIdentifier::IssSub(subject) => Self::Person(subject),
            identifier => Self::Identified {
                issuer: issuer.into(),
                identifier,
            },
        }
    }

    /// The URL of the provider.
    pub fn issuer(&self) -> &str {
        match self {
            Self::Person(person) => person.issuer(),
            Self::Session { session, .. }
            | Self::SessionUser(session)
            | Self::NotedSession(session) => session.issuer(),
            Self::Identified { issuer, .. } => issuer,
        }
    }
}
