//! A user store that takes its time, counts its questions, and brings news.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_clef::{
    BoxError, IdentityStore, LoginCheck, LoginReference, LogoutNews, Profile, RevocationKey,
    Subject, Timestamp, User as _, UserStore,
    stores::{Account, MemoryUserStore},
};
use tokio::sync::broadcast;

use crate::support::{Pause, TestClock, World};

#[derive(Clone)]
pub struct Counted {
    inner: Arc<MemoryUserStore>,
    /// How long a question takes.
    pub takes: Arc<Mutex<Duration>>,
    /// The subjects of the users that were asked about, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
    /// Questions about one login's revocation, beside those about its user.
    pub revocations_asked: Arc<AtomicUsize>,
    /// The subjects by the ids of the users.
    people: Arc<Mutex<HashMap<String, String>>>,
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
        revocations_asked: Arc::default(),
        people: Arc::default(),
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

impl UserStore for Counted {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.inner.log_out(id).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.inner.now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        assert!(!self.panics.load(SeqCst), "the user store panics");
        let at_once = self.at_once.fetch_add(1, SeqCst) + 1;
        let _at_once = AtOnce(&self.at_once);
        self.most_at_once.fetch_max(at_once, SeqCst);
        let person = self.people.lock().unwrap()[login.user_id].clone();
        self.asked.lock().unwrap().push(person.clone());
        let takes = *self.takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        if self.fails_for.lock().unwrap().as_ref() == Some(&person) {
            return Err("there is no answer about this user".into());
        }
        if self.gone.load(SeqCst) {
            return Ok(None);
        }
        let check = self.inner.check_login(login).await;
        self.answered.here().await;
        check
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.inner.revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.revocations_asked.fetch_add(1, SeqCst);
        self.inner.revoked_at(key).await
    }

    fn logout_news(&self) -> Option<broadcast::Receiver<LogoutNews>> {
        self.news.as_ref().map(broadcast::Sender::subscribe)
    }
}

/// The subjects `12345` and `12345.work` are one user.
impl IdentityStore for Counted {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let profile = Profile::new(person(&profile.subject));
        let user = self.inner.find_or_create(&profile).await?;
        if let Some(user) = &user {
            let person = user.profile().subject.id().to_owned();
            self.people.lock().unwrap().insert(user.id(), person);
        }
        Ok(user)
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.inner.log_out_subject(&person(subject)).await
    }
}

fn person(subject: &Subject) -> Subject {
    Subject::new(subject.issuer(), subject.id().trim_end_matches(".work"))
}
