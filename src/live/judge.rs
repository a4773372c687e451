//! Asks the stores whether logins still count.

use std::{sync::Arc, time::Duration};

use tokio::{sync::broadcast::Receiver, time::Instant};

use super::{
    LoginEnding,
    checked::in_a_while,
    group::{Question, Whose},
    login::Login,
};
use crate::{
    BoxError, LogoutNews, Standing, Timestamp,
    pending::PendingLogouts,
    session::{Keeper, Kept},
    time_limit::{STORE_LIMIT, answer, within},
    user::{AnyUser, AnyUserStore, Over},
};

/// What the check of a request goes by, for logins that nobody makes a request with.
pub(crate) struct Judge {
    pub(crate) users: Arc<dyn AnyUserStore>,
    pub(crate) pending: PendingLogouts,
    /// Absent where the application keeps its sessions itself: then nobody looks at them.
    pub(crate) keeper: Option<Arc<Keeper>>,
    pub(crate) lifetime: Option<Duration>,
}

/// What was found out about a login.
pub(super) enum Finding {
    /// It counts, and ends by itself then.
    Counts(Option<Instant>),
    Over(LoginEnding),
    /// A store did not answer.
    NoAnswer,
}

impl Judge {
    /// What the user store hears of logouts at other nodes, if it does.
    pub(super) async fn news(&self) -> Option<Receiver<LogoutNews>> {
        let news = answer(STORE_LIMIT, async { self.users.logout_news() });
        news.await.ok().flatten()
    }

    /// One question to the user store about all of these, and one to the session store about
    /// each that has a session there. Each is told of as soon as it is `found` out about: one slow
    /// session is no reason to keep what is known of the others.
    pub(super) async fn ask(
        &self,
        question: &Question,
        mut found: impl FnMut(&Arc<Login>, Finding),
    ) {
        let Question { whose, logins, .. } = question;
        let mut all = |finding: fn() -> Finding| {
            logins.iter().for_each(|login| found(login, finding()));
        };
        // Before the user is loaded: once a pending logout is written, the load shows it.
        let pending = self
            .pending
            .contains(&whose.subject, whose.session.as_ref());
        if pending {
            return all(|| Finding::Over(LoginEnding::LoggedOut));
        }
        let mut reference = whose.reference();
        reference.logged_in_at = logins.iter().map(|login| login.logged_in_at).max();
        let standing = within(STORE_LIMIT, self.users.standing(reference)).await;
        let standing = match standing {
            Ok(Some(standing)) => standing,
            Ok(None) => return all(|| Finding::Over(LoginEnding::LoggedOut)),
            Err(error) => {
                no_answer(&error);
                return all(|| Finding::NoAnswer);
            }
        };
        for login in logins {
            // It may have ended while the others were asked about.
            if login.ending().is_none() {
                found(login, self.find(whose, login, &standing).await);
            }
        }
    }

    async fn find(&self, whose: &Whose, login: &Login, standing: &Standing<AnyUser>) -> Finding {
        let in_session = whose.session.is_some();
        let left = match standing.left_of(login.logged_in_at, in_session, self.lifetime) {
            Ok(left) => left,
            Err(Over::Lifetime | Over::SessionLifetime) => {
                return Finding::Over(LoginEnding::Expired);
            }
            Err(Over::LoggedOut | Over::SessionLoggedOut | Over::InTheFuture) => {
                return Finding::Over(LoginEnding::LoggedOut);
            }
        };
        let idle = match self.kept(login, standing.now).await {
            Ok(None) => None,
            Ok(Some(Kept::For(left))) => Some(left),
            Ok(Some(Kept::Idle)) => return Finding::Over(LoginEnding::Expired),
            Ok(Some(Kept::Gone)) => {
                // The store ends it too, when it was not used for long enough.
                let ends_at = login.course().ends_at;
                let idle = ends_at.is_some_and(|ends_at| ends_at <= Instant::now());
                return Finding::Over(match idle {
                    true => LoginEnding::Expired,
                    false => LoginEnding::SessionGone,
                });
            }
            Err(error) => {
                no_answer(&error);
                return Finding::NoAnswer;
            }
        };
        let left = left.into_iter().chain(idle).min();
        Finding::Counts(in_a_while(Instant::now(), left))
    }

    /// How the session of a login is; `None` where nobody can look.
    async fn kept(&self, login: &Login, now: Timestamp) -> Result<Option<Kept>, BoxError> {
        let (Some(keeper), Some(id)) = (&self.keeper, login.session) else {
            return Ok(None);
        };
        let kept = keeper.kept(id, login.logged_in_at, now);
        within(STORE_LIMIT, kept).await.map(Some)
    }
}

fn no_answer(error: &BoxError) {
    tracing::warn!(
        error = ?error.to_string(),
        "a store did not say whether a login still counts; it is asked again"
    );
}
