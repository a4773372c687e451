use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::sync::watch;

use super::{directory::Directory, state::State, webhook::Webhooks};

/// What the handlers and the tasks of one service share.
#[derive(Clone)]
pub(super) struct Service(Arc<Shared>);

struct Shared {
    settings: Settings,
    state: Mutex<State>,
    changes: watch::Sender<()>,
    webhooks: Webhooks,
}

/// What a service was started with.
pub(super) struct Settings {
    pub(super) directory: Directory,
    /// The pauses before the second, the third, … attempt to tell a site.
    pub(super) retry_pauses: Vec<Duration>,
    /// How long a login waits for the phone.
    pub(super) waiting_lifetime: Duration,
    /// Whether requests to any host are answered.
    pub(super) any_host: bool,
    /// The port that it listens on.
    pub(super) port: u16,
    /// Its sender goes when the service is to stop.
    pub(super) running: watch::Receiver<()>,
}

impl Service {
    pub(super) fn new(settings: Settings) -> reqwest::Result<Self> {
        let published = Arc::clone(settings.directory.published());
        let state = State::new(published, settings.waiting_lifetime);
        Ok(Self(Arc::new(Shared {
            settings,
            state: Mutex::new(state),
            changes: watch::Sender::default(),
            webhooks: Webhooks::new()?,
        })))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.0.settings.directory
    }

    pub(super) fn webhooks(&self) -> &Webhooks {
        &self.0.webhooks
    }

    /// Looks at the state.
    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state in one step, and wakes whoever waits for a change.
    pub(super) fn change<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let outcome = step(&mut state);
        state.version += 1;
        drop(state);
        self.0.changes.send_replace(());
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says when the state has changed.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    /// Waits until the state is as wanted.
    pub(super) async fn until(&self, wanted: impl Fn(&State) -> bool) {
        let mut changes = self.changes();
        while !self.read(&wanted) {
            // It ends with the service, which is borrowed here.
            let _ = changes.changed().await;
        }
    }

    /// What a future gives, or `None` if the service stops first.
    pub(super) async fn unless_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut running = self.0.settings.running.clone();
        let stopped = pin!(async move { while running.changed().await.is_ok() {} });
        match select(stopped, pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((output, _)) => Some(output),
        }
    }

    /// Counts as something under way until what it gives is dropped.
    pub(super) fn under_way(&self) -> UnderWay {
        self.change(|state| state.under_way += 1);
        UnderWay(self.clone())
    }
}

/// Something that is under way.
pub(super) struct UnderWay(Service);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.change(|state| state.under_way -= 1);
    }
}
