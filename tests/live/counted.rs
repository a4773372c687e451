//! A user store that takes its time and counts its questions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum_clef::{Subject, User as _, stores::Account};
use test_support::{
    About, Call, Gauge, Hook, HookedUsers, Pause, World,
    hook::{Count, Done, Flag, StoreError, Work},
};

use crate::place::Node;

pub type Users = HookedUsers<Counted>;

/// The subjects `12345` and `12345.work` are one user.
#[derive(Clone, Default)]
pub struct Counted {
    takes: Arc<Mutex<Duration>>,
    /// The subjects of the users that were asked about, in order.
    asked: Arc<Mutex<Vec<String>>>,
    /// Questions about one login's revocation, beside those about its user.
    pub revocations_asked: Count,
    /// The subjects by the ids of the users.
    people: Arc<Mutex<HashMap<String, String>>>,
    pub questions: Gauge,
    pub panics: Flag,
    gone: Flag,
    fails_for: Arc<Mutex<Option<String>>>,
    /// Where a question waits once it is answered.
    pub answered: Pause,
}

/// A site over such a store.
pub fn world() -> (World, Users) {
    let world = World::new();
    let users = HookedUsers::with(world.clock.users(), Counted::default());
    (world, users)
}

/// A node of such a site.
pub fn node() -> (Node, Users) {
    let (world, users) = world();
    (Node::with(&world, world.builder_of(&users)), users)
}

impl Counted {
    /// The users that were asked about since the last call.
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

    /// How long a question takes.
    pub fn takes(&self, time: Duration) {
        *self.takes.lock().unwrap() = time;
    }
}

impl Hook for Counted {
    async fn around<T: Send>(&self, call: Call, about: About<'_>, work: impl Work<T>) -> Done<T> {
        if call == Call::RevokedAt {
            self.revocations_asked.fetch_add(1, SeqCst);
        }
        let (Call::CheckLogin, About::User(id)) = (call, about) else {
            return work.await;
        };
        assert!(!self.panics.load(SeqCst), "the user store panics");
        let _question = self.questions.enter();
        let person = self.people.lock().unwrap()[id].clone();
        self.asked.lock().unwrap().push(person.clone());
        let takes = *self.takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        if self.fails_for.lock().unwrap().as_ref() == Some(&person) {
            return Err(StoreError::down("there is no answer about this user"));
        }
        let check = work.await;
        self.answered.here().await;
        check
    }

    fn subject(&self, subject: &Subject) -> Subject {
        Subject::new(subject.issuer(), subject.id().trim_end_matches(".work"))
    }

    fn denies(&self, call: Call) -> bool {
        call == Call::CheckLogin && self.gone.load(SeqCst)
    }

    fn returned(&self, _: Call, user: &Account) {
        let person = user.profile().subject.id().to_owned();
        self.people.lock().unwrap().insert(user.id(), person);
    }
}
