//! What a logout ends: the same checks are made of a user, a subject and a key.

use std::{future::Future, time::Duration};

use super::{BrokenRule, Rule, handle::Handle, made_up::fresh_session};
use crate::{IdentityStore, RevocationKey, Subject, Timestamp, UserStore};

/// How long the revocations of the kit are kept.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// What a logout ends, and the stamp that it raises.
pub(super) trait LogoutTarget<S: UserStore>: Clone + Send + Sync + 'static {
    const RULES: Rules;
    /// The stamp, as a message names it.
    const STAMP: &'static str;

    /// Whether the store has found it.
    fn log_out(&self, store: &Handle<S>) -> impl Future<Output = Result<bool, BrokenRule>> + Send;

    fn stamp(
        &self,
        store: &Handle<S>,
    ) -> impl Future<Output = Result<Option<Timestamp>, BrokenRule>> + Send;

    /// A stamp as a message shows it.
    fn written(stamp: Option<Timestamp>) -> String {
        match stamp {
            Some(at) => format!("{} at {at:?}", Self::STAMP),
            None => format!("no {}", Self::STAMP),
        }
    }
}

/// The rules that a wrong stamp breaks.
pub(super) struct Rules {
    pub(super) ends_logins_before: Rule,
    pub(super) login_after_works: Rule,
    pub(super) only_rises: Rule,
    pub(super) every_handle_sees: Rule,
    pub(super) at_once: Rule,
}

const OF_USERS: Rules = Rules {
    ends_logins_before: Rule::LogOutEndsLoginsBefore,
    login_after_works: Rule::LoginAfterLogOutWorks,
    only_rises: Rule::LogOutOnlyRises,
    every_handle_sees: Rule::EveryHandleSeesLogOut,
    at_once: Rule::LogOutsAtOnce,
};

/// A user, logged out by id.
#[derive(Clone)]
pub(super) struct UserTarget(pub(super) String);

impl<S: UserStore> LogoutTarget<S> for UserTarget {
    const RULES: Rules = OF_USERS;
    const STAMP: &'static str = "`logged_out_at`";

    async fn log_out(&self, store: &Handle<S>) -> Result<bool, BrokenRule> {
        store.log_out(&self.0).await
    }

    async fn stamp(&self, store: &Handle<S>) -> Result<Option<Timestamp>, BrokenRule> {
        store.logged_out_at(&self.0).await
    }
}

/// The user of a subject, logged out by the subject.
#[derive(Clone)]
pub(super) struct SubjectTarget {
    pub(super) subject: Subject,
    pub(super) user_id: String,
}

impl<S: IdentityStore> LogoutTarget<S> for SubjectTarget {
    const RULES: Rules = OF_USERS;
    const STAMP: &'static str = "`logged_out_at` after `log_out_subject`";

    async fn log_out(&self, store: &Handle<S>) -> Result<bool, BrokenRule> {
        let users = store.log_out_subject(&self.subject).await?;
        Ok(users.contains(&self.user_id))
    }

    async fn stamp(&self, store: &Handle<S>) -> Result<Option<Timestamp>, BrokenRule> {
        store.logged_out_at(&self.user_id).await
    }
}

/// A key that is revoked.
#[derive(Clone)]
pub(super) struct KeyTarget {
    pub(super) key: RevocationKey,
    pub(super) keep_until: Timestamp,
}

impl KeyTarget {
    /// A session at a provider.
    pub(super) async fn new<S: UserStore>(store: &Handle<S>) -> Result<Self, BrokenRule> {
        Ok(Self {
            key: RevocationKey::Session(fresh_session()),
            keep_until: store.now().await?.after(KEPT),
        })
    }
}

impl<S: UserStore> LogoutTarget<S> for KeyTarget {
    const RULES: Rules = Rules {
        ends_logins_before: Rule::RevocationEndsLoginsBefore,
        login_after_works: Rule::LoginAfterRevocationWorks,
        only_rises: Rule::RevocationOnlyRises,
        every_handle_sees: Rule::EveryHandleSeesRevocation,
        at_once: Rule::RevocationsAtOnce,
    };
    const STAMP: &'static str = "`revoked_at`";

    async fn log_out(&self, store: &Handle<S>) -> Result<bool, BrokenRule> {
        let keys = std::slice::from_ref(&self.key);
        store.revoke(keys, self.keep_until).await?;
        Ok(true)
    }

    async fn stamp(&self, store: &Handle<S>) -> Result<Option<Timestamp>, BrokenRule> {
        store.revoked_at(&self.key).await
    }
}
