//! The task in which a bus listens.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
    time::Instant,
};

use super::{bus::LogoutBus, listener::LogoutListener};

/// The first pause before listening again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Listens until it is dropped.
pub(super) struct Listening(AbortHandle);

impl Listening {
    pub(super) fn start(
        runtime: &Handle,
        bus: &Arc<dyn LogoutBus>,
        listener: LogoutListener,
    ) -> Self {
        let bus = Arc::clone(bus);
        let listening = async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let began_at = Instant::now();
                listen(&bus, &listener).await;
                // It has listened to something meanwhile, so it is not what was broken before.
                if began_at.elapsed() > LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                tracing::warn!(
                    pause_milliseconds = pause.as_millis(),
                    "this node does not hear of logouts at others; it listens again after a pause"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                listener.lagged();
            }
        };
        Self(runtime.spawn(listening).abort_handle())
    }
}

/// In a task of its own, so that a bus that panics has stopped, and no more. A set, and not a
/// handle: it stops with this.
async fn listen(bus: &Arc<dyn LogoutBus>, listener: &LogoutListener) {
    let (bus, listener) = (Arc::clone(bus), listener.clone());
    let mut listening = JoinSet::new();
    listening.spawn(async move { bus.listen(&listener).await });
    if let Some(Err(error)) = listening.join_next().await {
        // Not its text: that of a panic may name anybody.
        tracing::error!(panicked = error.is_panic(), "a bus has failed");
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}
