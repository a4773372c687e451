//! Another node of a site with leased users, which sends news of logouts.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, IdentityStore as _, RevocationKey, Subject, Timestamp, UserStore,
    leased::{Leased, LogoutBus, LogoutListener, Reach},
    stores::MemoryUserStore,
};
use test_support::Wire;

/// A node with a user store of its own: what it logs out is news here, and nothing more.
pub struct OtherNode {
    wire: Wire,
    users: Leased<MemoryUserStore>,
}

impl OtherNode {
    pub fn new() -> Self {
        let wire = Wire::default();
        let users = leased(MemoryUserStore::new(), &wire);
        Self { wire, users }
    }

    /// A user store that caches nothing and receives the news of this node.
    pub fn tells<S: UserStore>(&self, users: S) -> Leased<S> {
        leased(users, &self.wire)
    }

    pub async fn log_out_user(&self, id: &str) {
        self.users.log_out(id).await.unwrap();
    }

    pub async fn log_out(&self, subject: &Subject) {
        self.users.log_out_subject(subject).await.unwrap();
    }

    pub async fn revoke(&self, key: RevocationKey) {
        let forever = Timestamp::from_micros(i64::MAX);
        self.users.revoke(&[key], forever).await.unwrap();
    }

    /// Sends the news of one logout so often that no receiver keeps up.
    pub async fn floods(&self, subject: &Subject) {
        let recorder = Recorder::default();
        let users = Leased::new(MemoryUserStore::new(), Duration::ZERO).bus(recorder.clone());
        users.log_out_subject(subject).await.unwrap();
        // A logout without leases does not wait for its bus.
        let news = loop {
            if let Some(news) = recorder.0.lock().unwrap().take() {
                break news;
            }
            tokio::task::yield_now().await;
        };
        for (listener, _) in &*self.wire.listeners.lock().unwrap() {
            for _ in 0..2_000 {
                assert!(listener.receive(&news));
            }
        }
    }

    /// The bus may have lost some news.
    pub fn loses_news(&self) {
        for (listener, _) in &*self.wire.listeners.lock().unwrap() {
            listener.lagged();
        }
    }
}

/// A bus that keeps the last news.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Option<String>>>);

#[async_trait]
impl LogoutBus for Recorder {
    async fn listen(&self, _: &LogoutListener) {
        std::future::pending().await
    }

    async fn publish(&self, news: &str) -> Result<Reach, BoxError> {
        *self.0.lock().unwrap() = Some(news.to_owned());
        Ok(Reach::Unknown)
    }
}

fn leased<S: UserStore>(users: S, wire: &Wire) -> Leased<S> {
    Leased::new(users, Duration::ZERO).bus(wire.end())
}
