use async_trait::async_trait;
use axum_clef::{
    BoxError, IdentityStore, LinkOutcome, LoginCheck, LoginReference, LogoutCause, Profile,
    ProviderSession, RevocationKey, Subject, SubjectIdentifier, Timestamp, UserStore,
    stores::Account,
};

/// Any store with an [`Account`], as an object.
#[async_trait]
#[allow(missing_docs)] // They are the methods of the traits.
pub trait AnyUsers: Send + Sync + 'static {
    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError>;
    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError>;
    async fn log_out(&self, id: &str) -> Result<bool, BoxError>;
    fn keeps_one_login(&self) -> bool;
    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError>;
    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError>;
    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError>;
    async fn now(&self) -> Result<Timestamp, BoxError>;
    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError>;
    fn keeps_revocations(&self) -> bool;
    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError>;
    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError>;
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError>;
    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError>;
    fn knows_identifiers(&self) -> bool;
    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError>;
    async fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError>;
    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError>;
    fn notes_sessions(&self) -> bool;
    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError>;
    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError>;
}

#[async_trait]
impl<S: IdentityStore<User = Account>> AnyUsers for S {
    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        UserStore::load(self, id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        UserStore::log_in(self, id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        UserStore::log_out(self, id).await
    }

    fn keeps_one_login(&self) -> bool {
        UserStore::keeps_one_login(self)
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        UserStore::log_out_others(self, id, stamp).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        UserStore::log_out_with_cause(self, id, cause).await
    }

    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        UserStore::log_out_others_with_cause(self, id, stamp, cause).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        UserStore::now(self).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        UserStore::check_login(self, login).await
    }

    fn keeps_revocations(&self) -> bool {
        UserStore::keeps_revocations(self)
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        UserStore::revoke(self, keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        UserStore::revoked_at(self, key).await
    }

    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        IdentityStore::find_or_create(self, profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        IdentityStore::log_out_subject(self, subject).await
    }

    fn knows_identifiers(&self) -> bool {
        IdentityStore::knows_identifiers(self)
    }

    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError> {
        IdentityStore::users_of(self, issuer, identifier).await
    }

    async fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError> {
        IdentityStore::log_out_subject_with_cause(self, subject, cause).await
    }

    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError> {
        IdentityStore::link(self, user_id, profile).await
    }

    fn notes_sessions(&self) -> bool {
        IdentityStore::notes_sessions(self)
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError> {
        IdentityStore::note_session(self, session, user_id, keep_until).await
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        IdentityStore::session_user(self, session).await
    }
}
