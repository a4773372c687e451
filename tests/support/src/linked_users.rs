use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum_clef::{
    BoxError, IdentityStore, LinkOutcome, LoginCheck, LoginReference, Profile, RevocationKey,
    Subject, Timestamp, UserStore, stores::Account,
};

/// Users with identities that were linked to them.
#[derive(Clone)]
pub struct LinkedUsers<S> {
    users: S,
    links: Arc<Mutex<HashMap<Subject, String>>>,
}

impl<S> LinkedUsers<S> {
    /// The users of this store, with no identity linked yet.
    pub fn new(users: S) -> Self {
        let links = Arc::default();
        Self { users, links }
    }

    /// The id of the user that an identity was linked to.
    pub fn user_of(&self, subject: &Subject) -> Option<String> {
        self.links.lock().unwrap().get(subject).cloned()
    }
}

impl<S: UserStore<User = Account>> UserStore for LinkedUsers<S> {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.users.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.users.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.users.log_out(id).await
    }

    fn keeps_one_login(&self) -> bool {
        self.users.keeps_one_login()
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.users.log_out_others(id, stamp).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.users.now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        self.users.check_login(login).await
    }

    fn keeps_revocations(&self) -> bool {
        self.users.keeps_revocations()
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.users.revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.users.revoked_at(key).await
    }
}

impl<S: IdentityStore<User = Account>> IdentityStore for LinkedUsers<S> {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        match self.user_of(&profile.subject) {
            Some(id) => self.users.load(&id).await,
            None => self.users.find_or_create(profile).await,
        }
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        match self.user_of(subject) {
            Some(id) => Ok(self
                .users
                .log_out(&id)
                .await?
                .then_some(id)
                .into_iter()
                .collect()),
            None => self.users.log_out_subject(subject).await,
        }
    }

    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError> {
        let mut links = self.links.lock().unwrap();
        let user = links
            .entry(profile.subject.clone())
            .or_insert_with(|| user_id.to_owned());
        Ok(match user == user_id {
            true => LinkOutcome::Linked,
            false => LinkOutcome::OtherUser,
        })
    }
}
