//! The one task that asks the stores, as long as anybody listens.

use std::{future::pending, slice, sync::Arc, time::Duration};

use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    LoginEnding,
    group::Question,
    hub::Hub,
    judge::{Finding, Judge},
    login::Login,
};
use crate::LogoutNews;

/// How many questions are asked at once.
const AT_ONCE: usize = 8;
/// A login that is about to end by itself is not asked about more often than this.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// A store that did not answer is asked again after this time at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long nobody needs to know whether a login still counts.
const LONGEST_DOUBT: Duration = Duration::from_secs(60);

/// The hub while it is watched. Whatever ends the watch, the next listener begins another.
pub(super) struct Watched {
    hub: Arc<Hub>,
    over: bool,
}

impl Watched {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, over: false }
    }

    /// Whether nobody listens; then the next who does begins another watch.
    fn is_over(&mut self) -> bool {
        let mut register = self.hub.register();
        self.over = register.is_empty();
        register.watched = !self.over;
        self.over
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Once it is over, that of another may be under way.
        if !self.over {
            self.hub.register().watched = false;
        }
    }
}

/// Asks whenever a question is due, until nobody listens any more.
pub(super) async fn watch(mut watched: Watched, judge: Judge) {
    let hub = Arc::clone(&watched.hub);
    let judge = Arc::new(judge);
    let mut news = judge.news().await;
    if news.is_some() {
        // Nobody heard what was told before.
        hub.missed();
    }
    let mut asking = JoinSet::new();
    loop {
        let free = AT_ONCE.saturating_sub(asking.len());
        let (questions, due) = hub.take_due(free);
        for question in questions {
            let asked = Asked::new(Arc::clone(&hub), question.group);
            asking.spawn(ask(asked, Arc::clone(&judge), question));
        }
        if asking.is_empty() && watched.is_over() {
            return;
        }
        let free = asking.len() < AT_ONCE;
        tokio::select! {
            Some(_) = asking.join_next() => {}
            () = hub.changed() => {}
            heard = next(&mut news) => match heard {
                Ok(LogoutNews::LoggedOut(scope)) => hub.heard_of(&scope),
                Ok(LogoutNews::Missed) | Err(RecvError::Lagged(_)) => hub.missed(),
                // Whatever is told from now on, the interval shows it.
                Err(RecvError::Closed) => news = None,
            },
            () = until(due), if free => {}
        }
    }
}

/// The next news, where there is some.
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

/// A question under way. However it ends, there will be another.
struct Asked {
    hub: Arc<Hub>,
    group: u64,
    pause: Duration,
}

impl Asked {
    fn new(hub: Arc<Hub>, group: u64) -> Self {
        let pause = hub.interval().min(LONGEST_PAUSE);
        Self { hub, group, pause }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.hub.register().asked(self.group, self.pause);
    }
}

async fn ask(mut asked: Asked, judge: Arc<Judge>, question: Question) {
    if question.logins.is_empty() {
        // The last one is about to be forgotten.
        return;
    }
    let hub = Arc::clone(&asked.hub);
    let mut pause = hub.interval();
    let found = |login: &Arc<Login>, finding| {
        if login.ending().is_some() {
            return;
        }
        let now = Instant::now();
        match finding {
            Finding::Counts(ends_at) => {
                let mut course = login.course();
                course.ends_at = ends_at;
                course.doubted_since = None;
                let left = ends_at.map(|ends_at| ends_at.saturating_duration_since(now));
                pause = pause.min(left.unwrap_or(pause));
                hub.register().silent_since = None;
            }
            Finding::Over(ending) => hub.end(slice::from_ref(login), ending),
            Finding::NoAnswer => {
                pause = pause.min(LONGEST_PAUSE);
                doubt(&hub, login, now);
                silence(&hub, now);
            }
        }
    };
    judge.ask(&question, found).await;
    asked.pause = pause.max(SHORTEST_PAUSE);
}

/// Nobody knows of this login.
fn doubt(hub: &Hub, login: &Arc<Login>, now: Instant) {
    let since = *login.course().doubted_since.get_or_insert(now);
    if now.saturating_duration_since(since) >= LONGEST_DOUBT {
        hub.end(slice::from_ref(login), LoginEnding::Unknown);
    }
}

/// Stores that hang are slow to ask about everybody, so their silence counts for all.
fn silence(hub: &Hub, now: Instant) {
    let logins = {
        let mut register = hub.register();
        let since = *register.silent_since.get_or_insert(now);
        if now.saturating_duration_since(since) < LONGEST_DOUBT {
            return;
        }
        register.all()
    };
    tracing::error!(
        logins = logins.len(),
        "the stores have not answered for a minute; what is open for these logins ends"
    );
    hub.end(&logins, LoginEnding::Unknown);
}
