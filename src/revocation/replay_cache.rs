//! The logout notices in progress, and those that have been applied.
//!
//! A notice that arrives again changes nothing: it would end the logins made since. Senders do
//! send again, after a time-out or twice at once, and a token may be good for one exchange only.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::{
    LogoutScope, ProviderSession, Subject, SubjectIdentifier,
    provider::{LogoutMessage, LogoutOutcome},
};

/// How many applied notices are remembered, some hundred bytes each. Only a good token takes
/// a place.
const CAPACITY: usize = 10_000;

/// The notices that this node knows, by a digest of their message.
#[derive(Clone, Default)]
pub(crate) struct ReplayCache(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    notices: HashMap<TokenDigest, Progress>,
    /// Applied notices, oldest first.
    applied: VecDeque<Vec<TokenDigest>>,
    spent: SpentIds,
}

/// The ids that are good for one notice, oldest first, each with the name of its notice. A notice
/// that is given up can come again, but its id is good for no other.
#[derive(Default)]
struct SpentIds {
    names: HashMap<TokenDigest, TokenDigest>,
    ids: VecDeque<TokenDigest>,
}

impl SpentIds {
    /// Spends an id on the notice with this name. Returns whether no other has spent it.
    fn spend(&mut self, id: TokenDigest, name: TokenDigest) -> bool {
        if let Some(other) = self.names.get(&id) {
            return *other == name;
        }
        self.names.insert(id, name);
        self.ids.push_back(id);
        if self.ids.len() > CAPACITY
            && let Some(oldest) = self.ids.pop_front()
        {
            self.names.remove(&oldest);
        }
        true
    }
}

/// The SHA-256 of a message, or of the id of a notice. Tokens are secret until they are exchanged, so
/// they are not stored.
type TokenDigest = [u8; 32];

/// The digest of several texts.
fn digest(texts: &[&str]) -> TokenDigest {
    let mut digest = Sha256::new();
    for text in texts {
        // Of one length: no two texts run into each other.
        digest.update(Sha256::digest(text));
    }
    digest.finalize().into()
}

/// How far a notice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The provider is asked.
    Checking,
    /// The token is exchanged, the logout is being written.
    Writing,
    /// It has ended.
    Done(LogoutOutcome),
}

/// Whether a notice was seen before.
pub(crate) enum JoinResult {
    /// It was not: handle it.
    No(NoticeGuard),
    /// It was: wait for its outcome.
    Before(Progress),
}

/// Whether the provider's id of a notice was seen before.
pub(crate) enum NamedResult {
    /// It was not: handle the notice.
    New(NoticeGuard),
    /// It was: the notice takes the other's outcome.
    Replay,
    /// It was, for other logins, and is good for one notice.
    Spent(NoticeGuard),
}

/// Watches a notice.
#[derive(Clone)]
pub(crate) struct Progress(watch::Receiver<Stage>);

/// A notice in progress. Dropped early, it is removed, so that it can be sent again.
pub(crate) struct NoticeGuard {
    notices: ReplayCache,
    /// By its token, and by its name.
    known_by: Vec<TokenDigest>,
    stage: watch::Sender<Stage>,
    applied: bool,
}

impl ReplayCache {
    /// Finds the notice with this message, or registers it. The path of the endpoint is part of the
    /// key, since two senders may use the same token.
    pub(crate) fn join(&self, endpoint: &str, message: &LogoutMessage) -> JoinResult {
        let token = digest(&[endpoint, message.proof().expose_secret(), message.content()]);
        let mut known = self.known();
        if let Some(progress) = known.notices.get(&token) {
            return JoinResult::Before(progress.clone());
        }
        let (stage, progress) = watch::channel(Stage::Checking);
        known.notices.insert(token, Progress(progress));
        JoinResult::No(NoticeGuard {
            notices: self.clone(),
            known_by: vec![token],
            stage,
            applied: false,
        })
    }

    /// A notice that is new each time that it comes.
    pub(crate) fn unregistered(&self) -> NoticeGuard {
        NoticeGuard {
            notices: self.clone(),
            known_by: Vec::new(),
            stage: watch::Sender::new(Stage::Checking),
            applied: false,
        }
    }

    fn known(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NoticeGuard {
    pub(crate) fn progress(&self) -> Progress {
        Progress(self.stage.subscribe())
    }

    /// Registers the provider's id of the notice.
    ///
    /// The name counts for one endpoint and for what the notice ends: a provider that gives it
    /// twice does not keep the second from its effect, unless the id is for a single use.
    pub(crate) fn named(
        mut self,
        endpoint: &str,
        scopes: &[LogoutScope],
        id: Option<&str>,
        is_single_use: bool,
    ) -> NamedResult {
        let Some(id) = id else {
            return NamedResult::New(self);
        };
        let mut texts = vec![endpoint, id];
        for scope in scopes {
            let (person, session, identifier) = match scope {
                LogoutScope::Person(person) => (Some(person), None, None),
                LogoutScope::Session { session, person } => (person.as_ref(), Some(session), None),
                LogoutScope::SessionUser(session) | LogoutScope::NotedSession(session) => {
                    (None, Some(session), None)
                }
                LogoutScope::Identified { identifier, .. } => (None, None, Some(identifier)),
            };
            texts.extend([
                scope.issuer(),
                person.map_or("", Subject::id),
                session.map_or("", ProviderSession::id),
            ]);
            texts.extend(identifier.map(SubjectIdentifier::texts).unwrap_or_default());
        }
        let name = digest(&texts);
        let mut known = self.notices.known();
        if is_single_use && !known.spent.spend(digest(&[endpoint, id]), name) {
            drop(known);
            return NamedResult::Spent(self);
        }
        if let Some(progress) = known.notices.get(&name).cloned() {
            drop(known);
            tokio::spawn(self.follow(progress));
            return NamedResult::Replay;
        }
        known.notices.insert(name, self.progress());
        drop(known);
        self.known_by.push(name);
        NamedResult::New(self)
    }

    /// Ends as another ends.
    async fn follow(self, mut other: Progress) {
        self.writing();
        let done = other.0.wait_for(|stage| matches!(stage, Stage::Done(_)));
        let stage = done.await.map(|stage| *stage);
        if let Ok(Stage::Done(outcome)) = stage {
            self.finish(outcome);
        }
    }

    pub(crate) fn writing(&self) {
        self.stage.send_replace(Stage::Writing);
    }

    pub(crate) fn finish(mut self, outcome: LogoutOutcome) {
        self.applied = matches!(
            outcome,
            LogoutOutcome::LoggedOut | LogoutOutcome::NothingEnded | LogoutOutcome::UnknownUser
        );
        let stage = self.stage.clone();
        // Before the outcome is seen: a sender that then tries again does not get it a second time.
        drop(self);
        stage.send_replace(Stage::Done(outcome));
    }
}

impl Drop for NoticeGuard {
    fn drop(&mut self) {
        let mut known = self.notices.known();
        let forgotten = if self.applied && !self.known_by.is_empty() {
            known.applied.push_back(mem::take(&mut self.known_by));
            let full = known.applied.len() > CAPACITY;
            full.then(|| known.applied.pop_front()).flatten()
        } else {
            Some(mem::take(&mut self.known_by))
        };
        for token in forgotten.into_iter().flatten() {
            known.notices.remove(&token);
        }
    }
}

impl Progress {
    /// How the notice ended, if it has.
    pub(crate) fn ended(&self) -> Option<LogoutOutcome> {
        match *self.0.borrow() {
            Stage::Done(outcome) => Some(outcome),
            Stage::Checking | Stage::Writing => None,
        }
    }

    /// How the notice ended, or that it has not yet after so long.
    pub(crate) async fn outcome(mut self, patience: Duration) -> LogoutOutcome {
        if self
            .0
            .wait_for(|stage| *stage != Stage::Checking)
            .await
            .is_err()
        {
            return LogoutOutcome::TryAgain;
        }
        let done = self.0.wait_for(|stage| matches!(stage, Stage::Done(_)));
        let stage = tokio::time::timeout(patience, done).await;
        let stage = stage.ok().and_then(Result::ok).map(|stage| *stage);
        match stage {
            Some(Stage::Done(outcome)) => outcome,
            _ => LogoutOutcome::TryAgain,
        }
    }
}

#[cfg(test)]
mod tests;
