//! The task that checks the logins of a layer while any has listeners.

use std::{future::pending, slice, sync::Arc, time::Duration};

use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    group::GroupCheck,
    hub::Hub,
    login::LiveLogin,
    login_checker::{CheckResult, LoginChecker},
};
use crate::{EndedLogin, LogoutReason, users::LogoutNews};

/// How many checks run concurrently.
const CONCURRENT_CHECKS: usize = 8;
/// The shortest pause between two checks of a login that is about to expire.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause before a check is repeated that a store did not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a login may stay unverified.
const UNVERIFIED_LIMIT: Duration = Duration::from_secs(60);

/// Marks the registry as watched. Dropping it lets the next listener start a new task.
pub(super) struct WatchGuard {
    hub: Arc<Hub>,
    is_done: bool,
}

impl WatchGuard {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self {
            hub,
            is_done: false,
        }
    }

    /// Whether no listener is left. Then the watch is over, and the next listener starts another.
    fn is_done(&mut self) -> bool {
        let mut registry = self.hub.registry();
        self.is_done = registry.is_empty();
        registry.is_watched = !self.is_done;
        self.is_done
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        // After a finished watch, another may be running already.
        if !self.is_done {
            self.hub.registry().is_watched = false;
        }
    }
}

/// Runs the checks as they become due, until no listener is left.
pub(super) async fn watch(mut guard: WatchGuard, checker: LoginChecker) {
    let hub = Arc::clone(&guard.hub);
    let checker = Arc::new(checker);
    let mut news = checker.news().await;
    if news.is_some() {
        // Earlier news had no receiver.
        hub.lagged();
    }
    let mut running = JoinSet::new();
    loop {
        let free = CONCURRENT_CHECKS.saturating_sub(running.len());
        let (checks, due) = hub.take_due(free);
        for check in checks {
            let guard = CheckGuard::new(Arc::clone(&hub), check.group);
            running.spawn(run(guard, Arc::clone(&checker), check));
        }
        if running.is_empty() && guard.is_done() {
            return;
        }
        let is_free = running.len() < CONCURRENT_CHECKS;
        tokio::select! {
            Some(_) = running.join_next() => {}
            () = hub.changed() => {}
            received = next(&mut news) => match received {
                Ok(LogoutNews::LoggedOut(key)) => hub.receive(&key),
                Ok(LogoutNews::Lagged) | Err(RecvError::Lagged(_)) => hub.lagged(),
                // The checks at the interval continue.
                Err(RecvError::Closed) => news = None,
            },
            () = until(due), if is_free => {}
        }
    }
}

async fn next(news: &mut Option<Receiver<LogoutNews>>) -> Result<LogoutNews, RecvError> {
    match news {
        Some(news) => news.recv().await,
        None => pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// Schedules the next check of a group when it is dropped, however the running check ends.
struct CheckGuard {
    hub: Arc<Hub>,
    group: u64,
    pause: Duration,
}

impl CheckGuard {
    fn new(hub: Arc<Hub>, group: u64) -> Self {
        let pause = hub.interval().min(LONGEST_PAUSE);
        Self { hub, group, pause }
    }
}

impl Drop for CheckGuard {
    fn drop(&mut self) {
        self.hub.registry().finish_check(self.group, self.pause);
    }
}

async fn run(mut guard: CheckGuard, checker: Arc<LoginChecker>, check: GroupCheck) {
    if check.logins.is_empty() {
        // The last listener is about to unregister the group.
        return;
    }
    let hub = Arc::clone(&guard.hub);
    let mut pause = hub.interval();
    let report = |login: &Arc<LiveLogin>, result| {
        if login.end().is_some() {
            return;
        }
        let now = Instant::now();
        match result {
            CheckResult::Valid(expires_at) => {
                let mut state = login.state();
                state.expires_at = expires_at;
                state.unverified_since = None;
                let left = expires_at.map(|expires_at| expires_at.saturating_duration_since(now));
                pause = pause.min(left.unwrap_or(pause));
                hub.registry().unavailable_since = None;
            }
            CheckResult::Ended(end) => hub.end(slice::from_ref(login), &end),
            CheckResult::Unavailable => {
                pause = pause.min(LONGEST_PAUSE);
                end_if_unverified(&hub, login, now);
                end_all_if_unavailable(&hub, now);
            }
        }
    };
    checker.check(&check, report).await;
    guard.pause = pause.max(SHORTEST_PAUSE);
}

/// Ends a login that no store has verified for a minute.
fn end_if_unverified(hub: &Hub, login: &Arc<LiveLogin>, now: Instant) {
    let since = *login.state().unverified_since.get_or_insert(now);
    if now.saturating_duration_since(since) >= UNVERIFIED_LIMIT {
        let end = EndedLogin::new(LogoutReason::Unknown);
        hub.end(slice::from_ref(login), &end);
    }
}

/// Ends all logins once the stores have answered nothing for a minute: checks that hang take too
/// long to reach every login.
fn end_all_if_unavailable(hub: &Hub, now: Instant) {
    let logins = {
        let mut registry = hub.registry();
        let since = *registry.unavailable_since.get_or_insert(now);
        if now.saturating_duration_since(since) < UNVERIFIED_LIMIT {
            return;
        }
        registry.all()
    };
    tracing::error!(
        logins = logins.len(),
        "the stores have not answered for a minute; open connections of these logins are closed"
    );
    hub.end(&logins, &EndedLogin::new(LogoutReason::Unknown));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::PageLimits;

    #[test]
    fn a_watch_that_breaks_off_lets_another_start_and_a_finished_one_stops_none() {
        for is_finished in [false, true] {
            let hub = Arc::new(Hub::new(Duration::from_secs(10), PageLimits::default()));
            let mut guard = WatchGuard::new(Arc::clone(&hub));
            // Without a listener, the watch is over.
            assert!(!is_finished || guard.is_done());
            hub.registry().is_watched = true;
            drop(guard);
            assert_eq!(hub.registry().is_watched, is_finished);
        }
    }
}
