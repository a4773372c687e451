//! A user store that takes its time, counts who asks at once, and tells news.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, LoginReference, LogoutNews, Profile, ProviderSession, Standing, Subject, Timestamp,
    UserStore,
    stores::{Account, MemoryUserStore},
};
use tokio::sync::broadcast;

use crate::support::{Pause, TestClock, TestUsers, World};

#[derive(Clone)]
pub struct Counted {
    inner: Arc<MemoryUserStore>,
    /// How long a question takes.
    pub takes: Arc<Mutex<Duration>>,
    /// Who was asked about, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
    at_once: Arc<AtomicUsize>,
    pub most_at_once: Arc<AtomicUsize>,
    pub panics: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
    fails_for: Arc<Mutex<Option<String>>>,
    /// Where a question waits once it is answered.
    pub answered: Pause,
    pub news: Option<broadcast::Sender<LogoutNews>>,
}

/// A site over such a store.
pub fn world(news: Option<broadcast::Sender<LogoutNews>>) -> (World, Counted) {
    let clock = TestClock::new();
    let in_memory = clock.clone();
    let inner = MemoryUserStore::new().with_clock(move || in_memory.read());
    let counted = Counted {
        inner: Arc::new(inner),
        takes: Arc::default(),
        asked: Arc::default(),
        at_once: Arc::default(),
        most_at_once: Arc::default(),
        panics: Arc::default(),
        gone: Arc::default(),
        fails_for: Arc::default(),
        answered: Pause::default(),
        news,
    };
    let mut world = World::new();
    world.clock = clock;
    world.users = TestUsers::new(MemoryUserStore::new());
    (world, counted)
}

impl Counted {
    /// Who was asked about since the last look.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// There are no users any more.
    pub fn forget_all(&self) {
        self.gone.store(true, SeqCst);
    }

    /// Does not answer about one of them.
    pub fn fails_for(&self, subject: &str) {
        *self.fails_for.lock().unwrap() = Some(subject.to_owned());
    }

    pub fn takes(&self, time: Duration) {
        *self.takes.lock().unwrap() = time;
    }
}

/// A question under way.
struct AtOnce<'a>(&'a AtomicUsize);

impl Drop for AtOnce<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
impl UserStore for Counted {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.inner.log_in(profile).await
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.load(id).await
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        self.inner.log_out(subject).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.inner.now().await
    }

    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<Account>>, BoxError> {
        assert!(!self.panics.load(SeqCst), "the user store panics");
        let at_once = self.at_once.fetch_add(1, SeqCst) + 1;
        let _at_once = AtOnce(&self.at_once);
        self.most_at_once.fetch_max(at_once, SeqCst);
        self.asked
            .lock()
            .unwrap()
            .push(login.subject.id().to_owned());
        let takes = *self.takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        if self.fails_for.lock().unwrap().as_deref() == Some(login.subject.id()) {
            return Err("nobody can say".into());
        }
        if self.gone.load(SeqCst) {
            return Ok(None);
        }
        let standing = self.inner.standing(login).await;
        self.answered.here().await;
        standing
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        self.inner.log_out_session(session).await
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        self.inner.session_logged_out_at(session).await
    }

    fn logout_news(&self) -> Option<broadcast::Receiver<LogoutNews>> {
        self.news.as_ref().map(broadcast::Sender::subscribe)
    }
}
