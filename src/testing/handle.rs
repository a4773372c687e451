//! A store as the checks call it: an error is a broken rule.

use std::{error::Error, iter, sync::Arc};

use super::{BrokenRule, Rule, made_up::profile};
use crate::{
    BoxError, IdentityStore, LoginCheck, LoginReference, RevocationKey, Subject, Timestamp,
    User as _, UserStore,
};

/// An opened store, for the checks to share with the tasks that they start.
pub(super) struct Handle<S>(Arc<S>);

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Two handles of one store, as two nodes have them.
pub(super) struct Handles<S> {
    pub(super) one: Handle<S>,
    pub(super) other: Handle<S>,
}

impl<S> Clone for Handles<S> {
    fn clone(&self) -> Self {
        Self {
            one: self.one.clone(),
            other: self.other.clone(),
        }
    }
}

impl<S> Handles<S> {
    /// One or the other by turns.
    pub(super) fn turn(&self, turn: usize) -> Handle<S> {
        let handles = [&self.one, &self.other];
        handles[turn % 2].clone()
    }
}

impl<S: UserStore> Handle<S> {
    pub(super) fn new(store: S) -> Self {
        Self(Arc::new(store))
    }

    /// The store itself, where an error is no broken rule.
    pub(super) fn store(&self) -> &S {
        &self.0
    }

    pub(super) async fn load(&self, id: &str) -> Result<Option<S::User>, BrokenRule> {
        let user = self.0.load(id).await;
        user.map_err(|error| no_answer("load", error))
    }

    /// The stamp of a user who exists.
    pub(super) async fn logged_out_at(&self, id: &str) -> Result<Option<Timestamp>, BrokenRule> {
        match self.load(id).await? {
            Some(user) => Ok(user.logged_out_at()),
            None => Err(BrokenRule::new(
                Rule::FindsByUserId,
                format!("`load` to find the user {id:?}, who exists"),
                "`Ok(None)`",
            )),
        }
    }

    /// A login of a user who exists.
    pub(super) async fn log_in(&self, id: &str) -> Result<S::User, BrokenRule> {
        let user = self.0.log_in(id).await;
        user.map_err(|error| no_answer("log_in", error))?
            .ok_or_else(|| {
                let expected = format!("`log_in` to find the user {id:?}, who exists");
                BrokenRule::new(Rule::AdmitsUsers, expected, "`Ok(None)`")
            })
    }

    pub(super) async fn log_out(&self, id: &str) -> Result<bool, BrokenRule> {
        let found = self.0.log_out(id).await;
        found.map_err(|error| no_answer("log_out", error))
    }

    pub(super) async fn now(&self) -> Result<Timestamp, BrokenRule> {
        let now = self.0.now().await;
        now.map_err(|error| no_answer("now", error))
    }

    pub(super) async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<S::User>>, BrokenRule> {
        let check = self.0.check_login(login).await;
        check.map_err(|error| no_answer("check_login", error))
    }

    pub(super) async fn revoke(
        &self,
        keys: &[RevocationKey],
        keep_until: Timestamp,
    ) -> Result<(), BrokenRule> {
        let revoked = self.0.revoke(keys, keep_until).await;
        revoked.map_err(|error| no_answer("revoke", error))
    }

    pub(super) async fn revoked_at(
        &self,
        key: &RevocationKey,
    ) -> Result<Option<Timestamp>, BrokenRule> {
        let stamp = self.0.revoked_at(key).await;
        stamp.map_err(|error| no_answer("revoked_at", error))
    }
}

impl<S: IdentityStore> Handle<S> {
    pub(super) async fn find_or_create(&self, subject: &Subject) -> Result<S::User, BrokenRule> {
        let user = self.0.find_or_create(&profile(subject)).await;
        user.map_err(|error| no_answer("find_or_create", error))?
            .ok_or_else(|| {
                let expected = "a user from `find_or_create`";
                BrokenRule::new(Rule::AdmitsUsers, expected, "`Ok(None)`")
            })
    }

    pub(super) async fn log_out_subject(
        &self,
        subject: &Subject,
    ) -> Result<Vec<String>, BrokenRule> {
        let users = self.0.log_out_subject(subject).await;
        users.map_err(|error| no_answer("log_out_subject", error))
    }
}

pub(super) fn no_answer(method: &str, error: BoxError) -> BrokenRule {
    let expected = format!("an answer from `{method}`");
    BrokenRule::new(Rule::Answers, expected, described(&error))
}

/// An error with its sources.
pub(super) fn described(error: &BoxError) -> String {
    let first: &(dyn Error + 'static) = &**error;
    let errors = iter::successors(Some(first), |&error| error.source());
    let texts: Vec<_> = errors.map(ToString::to_string).collect();
    format!("the error \"{}\"", texts.join(": "))
}
