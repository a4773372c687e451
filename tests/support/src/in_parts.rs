use axum_clef::{
    BoxError, IdentityStore, Profile, RevocationKey, Subject, Timestamp, UserStore, stores::Account,
};

use crate::{Hook, HookedUsers};

/// A user store that answers the check of a login in several calls, by the default of the trait.
#[derive(Clone)]
pub struct InParts<H>(pub HookedUsers<H>);

impl<H: Hook> UserStore for InParts<H> {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.0.log_out(id).await
    }

    fn keeps_one_login(&self) -> bool {
        self.0.keeps_one_login()
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.0.log_out_others(id, stamp).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.0.now().await
    }

    fn keeps_revocations(&self) -> bool {
        self.0.keeps_revocations()
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.0.revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.0.revoked_at(key).await
    }
}

impl<H: Hook> IdentityStore for InParts<H> {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.0.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.0.log_out_subject(subject).await
    }
}
