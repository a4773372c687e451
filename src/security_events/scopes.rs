//! Which logins an event ends.

use super::{SecurityEvent, SecurityEventError, dialect::Dialect};
use crate::{LogoutScope, ProviderSession, Subject, SubjectIdentifier};

/// What a receiver accepts as subjects.
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    /// The issuers of the users' subjects, the first for those that name none.
    pub(super) issuers: Vec<String>,
    pub(super) accepts_emails: bool,
    pub(super) dialect: Dialect,
}

impl Subjects {
    /// The logins that end with the session that an event names, or else with the person.
    ///
    /// # Errors
    ///
    /// A [`SecurityEventError`] if the event names nobody, or a subject that is not accepted.
    pub(super) fn scopes(
        &self,
        event: &SecurityEvent,
        is_session: bool,
    ) -> Result<Vec<LogoutScope>, SecurityEventError> {
        let subject = event
            .subject
            .as_ref()
            .ok_or(SecurityEventError::NoSubject)?;
        if let Some(session) = &subject.session {
            return self.session(session, subject.user.as_ref());
        }
        let Some(user) = &subject.user else {
            // A device, a group or a tenant alone is no person that this site knows.
            return Ok(Vec::new());
        };
        let mut scopes = Vec::new();
        if is_session && let (true, SubjectIdentifier::Opaque(id)) = (subject.is_simple, user) {
            // The simple subject of such an event may be the session itself (CAEP, section 3.1).
            scopes.extend(self.sessions(id));
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
            return Ok(Vec::new());
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
            SubjectIdentifier::Email(_) if !self.accepts_emails => {
                return Err(SecurityEventError::SubjectFormat(user.format()));
            }
            SubjectIdentifier::Unknown => {
                return Err(SecurityEventError::SubjectFormat(user.format()));
            }
            other => other.clone(),
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
