//! The user store of a site with a provider: it maps identities to users.

use std::{future::Future, sync::Arc};

use super::UserStore;
use crate::{
    BoxError, LogoutCause, Profile, ProviderSession, Subject, SubjectIdentifier, Timestamp,
};

/// A [`UserStore`] that maps provider identities to users.
///
/// The table also needs the [`Subject`]: issuer and id, unique together.
///
/// ```
/// # use std::{collections::HashMap, sync::Mutex};
/// use axum_clef::{BoxError, IdentityStore, Profile, Subject, UserStore};
/// # use axum_clef::{Timestamp, User};
/// # #[derive(Clone)]
/// # struct Member { id: String, logged_out_at: Option<Timestamp> }
/// # impl User for Member {
/// #     fn id(&self) -> String { self.id.clone() }
/// #     fn logged_out_at(&self) -> Option<Timestamp> { self.logged_out_at }
/// # }
///
/// struct Members {
///     members: Mutex<HashMap<String, Member>>,
///     subjects: Mutex<HashMap<Subject, String>>,
/// }
/// # impl UserStore for Members {
/// #     type User = Member;
/// #     async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
/// #         Ok(self.members.lock().map_err(|_| "poisoned")?.get(id).cloned())
/// #     }
/// #     async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
/// #         self.load(id).await
/// #     }
/// #     async fn log_out(&self, id: &str) -> Result<bool, BoxError> { Ok(!id.is_empty()) }
/// # }
///
/// impl IdentityStore for Members {
///     async fn find_or_create(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
///         let id = {
///             let mut subjects = self.subjects.lock().map_err(|_| "poisoned")?;
///             let next = subjects.len().to_string();
///             subjects.entry(profile.subject.clone()).or_insert(next).clone()
///         };
///         let mut members = self.members.lock().map_err(|_| "poisoned")?;
///         let member = members.entry(id.clone());
///         Ok(Some(member.or_insert(Member { id, logged_out_at: None }).clone()))
///     }
///
///     async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
///         let id = self.subjects.lock().map_err(|_| "poisoned")?.get(subject).cloned();
///         let Some(id) = id else { return Ok(Vec::new()) };
///         self.log_out(&id).await?;
///         Ok(vec![id])
///     }
/// }
/// ```
pub trait IdentityStore: UserStore {
    /// Finds the user of a provider's profile, or creates one. `None` refuses the login, with a
    /// page that says so.
    ///
    /// Two first logins of one subject at the same time give one user. Match the [`Subject`] alone:
    /// an e-mail address can be reassigned.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The login fails with 503.
    fn find_or_create(
        &self,
        profile: &Profile,
    ) -> impl Future<Output = Result<Option<Self::User>, BoxError>> + Send;

    /// Ends every login of the users of this subject, as [`log_out`](UserStore::log_out) does, and
    /// returns their ids. Empty if it has no user.
    ///
    /// # Errors
    ///
    /// As [`log_out`](UserStore::log_out).
    fn log_out_subject(
        &self,
        subject: &Subject,
    ) -> impl Future<Output = Result<Vec<String>, BoxError>> + Send;

    /// Ends every login of the users of this subject as [`log_out_subject`](Self::log_out_subject)
    /// does, and keeps the cause as [`log_out_with_cause`](UserStore::log_out_with_cause) does.
    /// Defaults to `log_out_subject`, without the cause.
    ///
    /// # Errors
    ///
    /// As [`log_out`](UserStore::log_out).
    fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> impl Future<Output = Result<Vec<String>, BoxError>> + Send {
        let _ = cause;
        self.log_out_subject(subject)
    }

    /// Links an identity at a provider to the user with this id, so that both log in the same user.
    /// Defaults to [`NotSupported`](LinkOutcome::NotSupported).
    ///
    /// It is called for a user who is logged in, has proven their credentials recently, and has just
    /// proven this identity too. Write it in one atomic statement or transaction that locks the row
    /// of the subject, as [`log_out_subject`](Self::log_out_subject) does. An identity of another
    /// user stays theirs: [`OtherUser`](LinkOutcome::OtherUser).
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The user sees a page with 503.
    fn link(
        &self,
        user_id: &str,
        profile: &Profile,
    ) -> impl Future<Output = Result<LinkOutcome, BoxError>> + Send {
        let _ = (user_id, profile);
        async { Ok(LinkOutcome::NotSupported) }
    }

    /// Whether this store notes whose session at a provider it is. Defaults to `false`.
    ///
    /// With `true`, implement [`note_session`](Self::note_session) and
    /// [`session_user`](Self::session_user). A provider that ends all logins of a user, such as one
    /// with `Oidc::log_out_whole_person`, then does so for a notice that names only a session.
    fn notes_sessions(&self) -> bool {
        false
    }

    /// Notes that a session at a provider is of this user, until `keep_until` at the least. The last
    /// user of a session counts.
    ///
    /// It is called before a login in the session is recorded.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. The login fails with 503.
    fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = (session, user_id, keep_until);
        async { Ok(()) }
    }

    /// The id of the user whose session it is. `None` if none is noted.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. It is asked again, and the logout waits.
    fn session_user(
        &self,
        session: &ProviderSession,
    ) -> impl Future<Output = Result<Option<String>, BoxError>> + Send {
        let _ = session;
        async { Ok(None) }
    }

    /// Whether this store finds users by what a notice names them by, beside issuer and subject.
    /// Defaults to `false`.
    ///
    /// With `true`, implement [`users_of`](Self::users_of).
    fn knows_identifiers(&self) -> bool {
        false
    }

    /// The ids of the users whom the provider at `issuer` names by `identifier`. Empty if none.
    ///
    /// All their logins end. Return only users for whom it is *verified* that the identifier is
    /// theirs: an e-mail address that this site or that provider has verified for the user, and an
    /// opaque id within its issuer. Compare addresses as your login form does. An issuer and a
    /// subject come to [`log_out_subject`](Self::log_out_subject) instead.
    ///
    /// More than 100 ids are no person: nothing ends.
    ///
    /// # Errors
    ///
    /// When the store cannot answer. It is asked again, and the logout waits.
    fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> impl Future<Output = Result<Vec<String>, BoxError>> + Send {
        let _ = (issuer, identifier);
        async { Ok(Vec::new()) }
    }
}

/// The answer of [`IdentityStore::link`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkOutcome {
    /// The identity belongs to the user, now or already before.
    Linked,
    /// The identity belongs to another user. Nothing has changed.
    OtherUser,
    /// There is no such user, or they may link none. Nothing has changed.
    TurnedAway,
    /// The store links no identities.
    NotSupported,
}

impl<S: IdentityStore> IdentityStore for Arc<S> {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Self::User>, BoxError> {
        IdentityStore::find_or_create(&**self, profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        IdentityStore::log_out_subject(&**self, subject).await
    }

    async fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError> {
        IdentityStore::log_out_subject_with_cause(&**self, subject, cause).await
    }

    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError> {
        IdentityStore::link(&**self, user_id, profile).await
    }

    fn notes_sessions(&self) -> bool {
        (**self).notes_sessions()
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError> {
        (**self).note_session(session, user_id, keep_until).await
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        (**self).session_user(session).await
    }

    fn knows_identifiers(&self) -> bool {
        (**self).knows_identifiers()
    }

    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError> {
        (**self).users_of(issuer, identifier).await
    }
}
