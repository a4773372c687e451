//! A site that polls its events.

use std::time::Duration;

use axum_clef::{
    secrecy::SecretString,
    security_events::{EventPoll, EventReceiver},
};
use serde_json::Value;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    management::{Management, TOKEN},
    support::{AUDIENCE, Scene},
};

/// A scene whose second node polls every 100 milliseconds, and the receiver of its events.
pub struct Polling {
    pub scene: Scene,
    pub poll: EventPoll,
    pub task: Option<JoinHandle<()>>,
}

impl Polling {
    pub async fn new() -> Self {
        Self::with(|receiver| receiver).await
    }

    /// The receiver of the polled events has more settings.
    pub async fn with(set: impl FnOnce(EventReceiver) -> EventReceiver) -> Self {
        let scene = Scene::new().await;
        let receiver = EventReceiver::new(&*scene.transmitter.issuer, AUDIENCE).unwrap();
        let receiver = set(receiver.subject_issuers([&*scene.site.provider.issuer]));
        let url = scene.transmitter.url("/ssf/poll");
        let poll = EventPoll::new(&receiver, &url, SecretString::from(TOKEN)).unwrap();
        let poll = poll.interval(Duration::from_millis(100));
        let mut polling = Self {
            scene,
            poll,
            task: None,
        };
        polling.start();
        polling
    }

    pub fn start(&mut self) {
        let layer = &self.scene.nodes[1].layer;
        let task = tokio::spawn(layer.poll_events(self.poll.clone()).unwrap());
        self.task = Some(task);
    }

    pub fn management<T>(&self, change: impl FnOnce(&mut Management) -> T) -> T {
        change(&mut self.scene.transmitter.script().management)
    }

    /// Keeps an event for the next request.
    pub fn offer(&self, id: &str, token: String) {
        self.management(|management| management.waiting.insert(id.to_owned(), token));
    }

    pub fn polls(&self) -> Vec<Value> {
        self.management(|management| management.polls.clone())
    }

    pub async fn until(&self, what: &str, is_done: impl Fn(&Management) -> bool) {
        let begun_at = Instant::now();
        while !self.management(|management| is_done(management)) {
            assert!(begun_at.elapsed() < Duration::from_secs(10), "{what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Until the sender was told what became of all events.
    pub async fn until_settled(&self) {
        self.until("not settled", |management| management.waiting.is_empty())
            .await;
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.task.take().unwrap().abort();
    }
}

/// Moves the clock that requests and pauses are measured by, and no other.
pub async fn advance(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
