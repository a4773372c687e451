//! [`Leased`] as a user store: reads from the entries, and writes that wait for the leases.

use std::time::Duration;

use tokio::{sync::broadcast, time::Instant};

use super::{Leased, entries::Answer, logouts::InvalidateOnDrop};
use crate::{
    BoxError, IdentityStore, LinkOutcome, LoginCheck, LoginReference, LogoutCause, Profile,
    ProviderSession, RevocationKey, Subject, SubjectIdentifier, Timestamp, User as _, UserStore,
    users::{Leases, LogoutKey, LogoutNews, Sealed},
};

impl<S: UserStore> UserStore for Leased<S> {
    type User = S::User;

    async fn load(&self, id: &str) -> Result<Option<Self::User>, BoxError> {
        self.store.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Self::User>, BoxError> {
        self.listen();
        let _entries = InvalidateOnDrop {
            generations: self.generations(),
            keys: &[LogoutKey::User(id.to_owned())],
        };
        self.store.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.log_out_with_cause(id, &LogoutCause::Unknown).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        let keys = [LogoutKey::User(id.to_owned())];
        let write = self.store.log_out_with_cause(id, cause);
        self.log_out_everywhere(&keys, write).await
    }

    fn keeps_one_login(&self) -> bool {
        self.store.keeps_one_login()
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.log_out_others_with_cause(id, stamp, &LogoutCause::Unknown)
            .await
    }

    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        let keys = [LogoutKey::User(id.to_owned())];
        let write = self.store.log_out_others_with_cause(id, stamp, cause);
        self.log_out_everywhere(&keys, write).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.store.now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Self::User>>, BoxError> {
        self.listen();
        let mut is_second = false;
        loop {
            // Without sharing running reads: no logout waits for this node.
            if !self.may_cache() {
                return self.store.check_login(login).await;
            }
            let (entry, is_new) = self.find_or_insert(login);
            let read = async { Answer::new(self.store.check_login(login).await) };
            let answer = entry.answer.get_or_init(|| read).await;
            // A new read started after this request did, so its answer is current. So is that of
            // the second attempt.
            let is_valid = || self.is_valid(&entry) && !answer.is_older_than(login);
            if is_new || is_second || is_valid() {
                return answer.to_result();
            }
            is_second = true;
        }
    }

    fn keeps_revocations(&self) -> bool {
        self.store.keeps_revocations()
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let write = self.store.revoke(keys, keep_until);
        // Unknown subjects have no entries: only a login looks them up, in the store.
        let known = |key: &&RevocationKey| !matches!(key, RevocationKey::UnknownSubject(_));
        let known = keys.iter().filter(known).cloned();
        let keys: Vec<_> = known.map(LogoutKey::Revocation).collect();
        if keys.is_empty() {
            return write.await;
        }
        self.log_out_everywhere(&keys, write).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.store.revoked_at(key).await
    }

    fn leases(&self, _: Sealed) -> Option<&dyn Leases> {
        Some(self)
    }
}

impl<S: UserStore> Leases for Leased<S> {
    fn join(&self) {
        self.listen();
        if let Some(inner) = self.store.leases(Sealed) {
            inner.join();
        }
    }

    fn wait(&self) -> Duration {
        self.log_out_wait()
    }

    fn news(&self) -> Option<broadcast::Receiver<LogoutNews>> {
        self.logout_news()
    }
}

impl<S: IdentityStore> IdentityStore for Leased<S> {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Self::User>, BoxError> {
        self.listen();
        let user = self.store.find_or_create(profile).await?;
        if let Some(user) = &user {
            // The profile may have changed.
            self.generations().invalidate(&LogoutKey::User(user.id()));
        }
        Ok(user)
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.log_out_subject_with_cause(subject, &LogoutCause::Unknown)
            .await
    }

    /// The users are known only after the write. If a call fails or is dropped after it has
    /// written, the logout takes effect after at most one lease.
    async fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError> {
        self.listen();
        let write = self.store.log_out_subject_with_cause(subject, cause);
        let ids = write.await?;
        let written_at = Instant::now();
        let mut keys: Vec<_> = ids.iter().cloned().map(LogoutKey::User).collect();
        if keys.is_empty() {
            keys.push(LogoutKey::Subject(subject.clone()));
        }
        keys.iter()
            .for_each(|key| self.generations().invalidate(key));
        self.wait_for_all_nodes(&keys, written_at).await;
        Ok(ids)
    }

    /// No login begins or ends with it, so the leases stay.
    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError> {
        self.store.link(user_id, profile).await
    }

    fn notes_sessions(&self) -> bool {
        self.store.notes_sessions()
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError> {
        self.store.note_session(session, user_id, keep_until).await
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        self.store.session_user(session).await
    }

    fn knows_identifiers(&self) -> bool {
        self.store.knows_identifiers()
    }

    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError> {
        self.store.users_of(issuer, identifier).await
    }
}
