//! Which logins an event ends.

use std::collections::BTreeSet;

use super::{SecurityEvent, SecurityEventError, dialect::Dialect, subject::MEMBERS};
use crate::{LogoutScope, ProviderSession, Subject, SubjectIdentifier};

/// The members of a complex subject that say which logins end.
const PROCESSED: [&str; 2] = ["user", "session"];

/// The session id of Keycloak's event when an administrator logs out all sessions of a user. It sends
/// no event for each session.
const ALL_SESSIONS: &str = "ALL";

/// What a receiver accepts as subjects.
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    /// The issuers of the users' subjects, the first for those that name none.
    pub(super) issuers: Vec<String>,
    pub(super) accepts_emails: bool,
    pub(super) accepts_identifiers: bool,
    /// The members of complex subjects that the application processes.
    pub(super) accepted_members: Vec<String>,
    pub(super) dialect: Dialect,
}

impl Subjects {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`SecurityEventError::SubjectMember`] for an accepted member that has no effect.
    pub(super) fn check_settings(&self) -> Result<(), SecurityEventError> {
        for member in &self.accepted_members {
            let name = member.as_str();
            if name.is_empty() || name == "format" || PROCESSED.contains(&name) {
                return Err(SecurityEventError::SubjectMember(member.clone()));
            }
        }
        Ok(())
    }

    /// Checks that this site processes each of these members that the sender lists as critical (SSF
    /// 1.0, section 3.6).
    ///
    /// # Errors
    ///
    /// [`SecurityEventError::CriticalMember`] for one that it does not: the event must have no
    /// effect, even if it ends nothing.
    pub(super) fn check_members(
        &self,
        members: &BTreeSet<String>,
        critical: &[String],
    ) -> Result<(), SecurityEventError> {
        for member in critical.iter().filter(|member| members.contains(*member)) {
            let name = member.as_str();
            if !PROCESSED.contains(&name) && !self.accepted_members.contains(member) {
                let mut defined = MEMBERS.into_iter();
                let defined = defined.find(|defined| *defined == name);
                return Err(SecurityEventError::CriticalMember(
                    defined.unwrap_or("additional"),
                ));
            }
        }
        Ok(())
    }

    /// Writes the person of an event as the OpenID provider does, for the hook too.
    ///
    /// # Errors
    ///
    /// [`SecurityEventError::SubjectIssuer`] if the person is one of another issuer, even if the event
    /// ends nothing: the hook may unlock an account.
    pub(super) fn normalize(&self, event: &mut SecurityEvent) -> Result<(), SecurityEventError> {
        let subject = event.subject.as_mut();
        match subject.and_then(|subject| subject.user.as_mut()) {
            Some(SubjectIdentifier::IssSub(subject)) => *subject = self.subject(subject)?,
            Some(SubjectIdentifier::Aliases(aliases)) => {
                aliases.retain_mut(|alias| match alias {
                    SubjectIdentifier::IssSub(subject) => match self.subject(subject) {
                        Ok(own) => {
                            *subject = own;
                            true
                        }
                        Err(_) => false,
                    },
                    _ => true,
                });
                if aliases.is_empty() {
                    return Err(SecurityEventError::SubjectIssuer);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The logins that end with an event: those of a session if the event is about one, or else all
    /// of the person. The session `ALL` counts as none.
    ///
    /// # Errors
    ///
    /// A [`SecurityEventError`] if the event names neither in a form that is accepted: its sender
    /// would take the logout for done.
    pub(super) fn scopes(
        &self,
        event: &SecurityEvent,
        is_about_session: bool,
    ) -> Result<Vec<LogoutScope>, SecurityEventError> {
        let subject = event
            .subject
            .as_ref()
            .ok_or(SecurityEventError::NoSubject)?;
        let user = subject.user.as_ref();
        let session = subject.session.as_ref();
        let session = session.filter(|session| !names_all_sessions(session));
        let user = match (session, user) {
            (Some(session), _) if is_about_session => return self.session(session, user),
            // Of a disabled account no login goes on, whatever session is named beside it.
            (_, Some(user)) => user,
            (Some(session), None) => return self.session(session, None),
            // A device, a group or a tenant alone, or all sessions without a user.
            (None, None) => return Err(SecurityEventError::SubjectFormat("complex")),
        };
        let mut scopes = Vec::new();
        if is_about_session
            && let (true, SubjectIdentifier::Opaque(id)) = (subject.is_simple, user)
            && !names_all_sessions(user)
        {
            // The simple subject of such an event may be the session itself (CAEP, section 3.1).
            scopes.extend(self.sessions(id));
            if !self.accepts_identifiers {
                return Ok(scopes);
            }
        }
        let person = self.person(user)?;
        let issuer = self
            .issuers
            .first()
            .ok_or(SecurityEventError::SubjectIssuer)?;
        scopes.push(LogoutScope::identified(issuer, person));
        Ok(scopes)
    }

    /// One session. Never the whole person for want of it.
    fn session(
        &self,
        session: &SubjectIdentifier,
        user: Option<&SubjectIdentifier>,
    ) -> Result<Vec<LogoutScope>, SecurityEventError> {
        let person = match user {
            Some(SubjectIdentifier::IssSub(subject)) => Some(self.subject(subject)?),
            _ => None,
        };
        let SubjectIdentifier::Opaque(id) = session else {
            return Err(SecurityEventError::SubjectFormat(session.format()));
        };
        Ok(match person {
            Some(person) => {
                let session = ProviderSession::new(person.issuer(), id);
                vec![LogoutScope::session(session, Some(person))]
            }
            None => self.sessions(id),
        })
    }

    /// The sessions with this id at each issuer.
    fn sessions(&self, id: &str) -> Vec<LogoutScope> {
        let session = |issuer: &String| {
            let session = ProviderSession::new(issuer, id);
            LogoutScope::session(session, None)
        };
        self.issuers.iter().map(session).collect()
    }

    /// The identifier of a person. Of several, those that are accepted, if there are any.
    fn person(&self, user: &SubjectIdentifier) -> Result<SubjectIdentifier, SecurityEventError> {
        Ok(match user {
            SubjectIdentifier::IssSub(subject) => SubjectIdentifier::IssSub(self.subject(subject)?),
            SubjectIdentifier::Aliases(aliases) => {
                let (mut accepted, mut refusal) = (Vec::new(), None);
                for alias in aliases {
                    match self.person(alias) {
                        Ok(alias) => accepted.push(alias),
                        Err(error) => refusal = Some(error),
                    }
                }
                match refusal {
                    Some(refusal) if accepted.is_empty() => return Err(refusal),
                    _ => SubjectIdentifier::Aliases(accepted),
                }
            }
            other => {
                let is_accepted = match other {
                    SubjectIdentifier::Email(_) => self.accepts_emails,
                    SubjectIdentifier::Unknown => false,
                    _ => self.accepts_identifiers,
                };
                if !is_accepted {
                    return Err(SecurityEventError::SubjectFormat(other.format()));
                }
                other.clone()
            }
        })
    }

    /// A subject of an accepted issuer, as the OpenID provider writes it.
    fn subject(&self, subject: &Subject) -> Result<Subject, SecurityEventError> {
        let mut issuers = self.issuers.iter();
        let issuer = issuers.find(|issuer| self.dialect.is_same_issuer(issuer, subject.issuer()));
        let issuer = issuer.ok_or(SecurityEventError::SubjectIssuer)?;
        Ok(Subject::new(issuer, subject.id()))
    }
}

/// Whether an identifier stands for all sessions of the user beside it, and for no session.
fn names_all_sessions(identifier: &SubjectIdentifier) -> bool {
    matches!(identifier, SubjectIdentifier::Opaque(id) if id == ALL_SESSIONS)
}
