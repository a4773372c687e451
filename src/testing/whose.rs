//! Whose logins a logout ends: the same is asked of a person's and of a session's.

use super::{
    BrokenRule, Rule,
    handle::Handle,
    person::{fresh_person, fresh_session},
};
use crate::{ProviderSession, Subject, Timestamp, User as _, UserStore};

/// Somebody who can be logged out.
#[derive(Clone)]
pub(super) enum Whose {
    /// A person, and their user's id.
    Person(Subject, String),
    /// A session at a provider.
    Session(ProviderSession),
}

impl Whose {
    /// A person's, who has logged in.
    pub(super) async fn person<S: UserStore>(store: &Handle<S>) -> Result<Self, BrokenRule> {
        let person = fresh_person();
        let id = store.log_in(&person).await?.id();
        Ok(Self::Person(person, id))
    }

    /// A session's.
    pub(super) fn session() -> Self {
        Self::Session(fresh_session())
    }

    pub(super) async fn log_out<S: UserStore>(
        &self,
        store: &Handle<S>,
    ) -> Result<bool, BrokenRule> {
        match self {
            Self::Person(person, _) => store.log_out(person).await,
            Self::Session(session) => store.log_out_session(session).await,
        }
    }

    pub(super) async fn logged_out_at<S: UserStore>(
        &self,
        store: &Handle<S>,
    ) -> Result<Option<Timestamp>, BrokenRule> {
        match self {
            Self::Person(_, id) => store.logged_out_at(id).await,
            Self::Session(session) => store.session_logged_out_at(session).await,
        }
    }

    /// That a logout ends every login from before it.
    pub(super) fn ends_logins_before(&self) -> Rule {
        match self {
            Self::Person(..) => Rule::LogOutEndsLoginsBefore,
            Self::Session(_) => Rule::SessionLogOutEndsLoginsBefore,
        }
    }

    /// That a login after a logout works.
    pub(super) fn login_after_works(&self) -> Rule {
        match self {
            Self::Person(..) => Rule::LoginAfterLogOutWorks,
            Self::Session(_) => Rule::LoginAfterSessionLogOutWorks,
        }
    }

    /// That a logout is later than the one before.
    pub(super) fn only_rises(&self) -> Rule {
        match self {
            Self::Person(..) => Rule::LogOutOnlyRises,
            Self::Session(_) => Rule::SessionLogOutOnlyRises,
        }
    }

    /// That every handle sees it.
    pub(super) fn every_handle_sees(&self) -> Rule {
        match self {
            Self::Person(..) => Rule::EveryHandleSeesLogOut,
            Self::Session(_) => Rule::EveryHandleSeesSessionLogOut,
        }
    }

    /// That many at once each raise it.
    pub(super) fn at_once(&self) -> Rule {
        match self {
            Self::Person(..) => Rule::LogOutsAtOnce,
            Self::Session(_) => Rule::SessionLogOutsAtOnce,
        }
    }

    /// The moment that rises, as a message names it.
    pub(super) fn moment(&self) -> &'static str {
        match self {
            Self::Person(..) => "`logged_out_at`",
            Self::Session(_) => "`session_logged_out_at`",
        }
    }

    /// A stamp as a message shows it.
    pub(super) fn written(&self, logged_out_at: Option<Timestamp>) -> String {
        let moment = self.moment();
        match logged_out_at {
            Some(stamp) => format!("{moment} at {stamp:?}"),
            None => format!("no {moment}"),
        }
    }
}
