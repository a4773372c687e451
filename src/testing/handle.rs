//! A store as the checks ask it: an error is a broken rule.

use std::{error::Error, iter, sync::Arc};

use super::{BrokenRule, Rule, person::profile};
use crate::{
    BoxError, LoginReference, ProviderSession, Standing, Subject, Timestamp, User as _, UserStore,
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
    /// Now the one, now the other.
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

    pub(super) async fn log_in(&self, person: &Subject) -> Result<S::User, BrokenRule> {
        let user = self.0.log_in(&profile(person)).await;
        user.map_err(|error| no_answer("log_in", error))?
            .ok_or_else(|| {
                let expected = "a user from `log_in`";
                BrokenRule::new(Rule::LetsPeopleIn, expected, "`Ok(None)`")
            })
    }

    pub(super) async fn load(&self, id: &str) -> Result<Option<S::User>, BrokenRule> {
        let user = self.0.load(id).await;
        user.map_err(|error| no_answer("load", error))
    }

    /// The stamp of a user who is there.
    pub(super) async fn logged_out_at(&self, id: &str) -> Result<Option<Timestamp>, BrokenRule> {
        match self.load(id).await? {
            Some(user) => Ok(user.logged_out_at()),
            None => Err(BrokenRule::new(
                Rule::LoadFindsByUserId,
                format!("`load` to find the user {id:?}, who has logged in"),
                "`Ok(None)`",
            )),
        }
    }

    pub(super) async fn log_out(&self, person: &Subject) -> Result<bool, BrokenRule> {
        let found = self.0.log_out(person).await;
        found.map_err(|error| no_answer("log_out", error))
    }

    pub(super) async fn log_out_session(
        &self,
        session: &ProviderSession,
    ) -> Result<bool, BrokenRule> {
        let kept = self.0.log_out_session(session).await;
        kept.map_err(|error| no_answer("log_out_session", error))
    }

    pub(super) async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BrokenRule> {
        let stamp = self.0.session_logged_out_at(session).await;
        stamp.map_err(|error| no_answer("session_logged_out_at", error))
    }

    pub(super) async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<S::User>>, BrokenRule> {
        let standing = self.0.standing(login).await;
        standing.map_err(|error| no_answer("standing", error))
    }

    pub(super) async fn now(&self) -> Result<Timestamp, BrokenRule> {
        let now = self.0.now().await;
        now.map_err(|error| no_answer("now", error))
    }
}

fn no_answer(method: &str, error: BoxError) -> BrokenRule {
    let expected = format!("an answer from `{method}`");
    BrokenRule::new(Rule::Answers, expected, described(&error))
}

/// An error with all that is behind it.
pub(super) fn described(error: &BoxError) -> String {
    let first: &(dyn Error + 'static) = &**error;
    let errors = iter::successors(Some(first), |&error| error.source());
    let texts: Vec<_> = errors.map(ToString::to_string).collect();
    format!("the error \"{}\"", texts.join(": "))
}
