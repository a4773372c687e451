//! A bus over PostgreSQL that can be cut at its node.

use async_trait::async_trait;
use axum_clef::{
    BoxError,
    leased::{LogoutBus, LogoutListener, PostgresLogoutBus, Reach},
};
use std::time::Duration;
use tokio::sync::watch;

pub struct CutBus {
    bus: PostgresLogoutBus,
    is_cut: watch::Sender<bool>,
}

impl CutBus {
    pub fn new(bus: PostgresLogoutBus, is_cut: watch::Sender<bool>) -> Self {
        Self { bus, is_cut }
    }
}

#[async_trait]
impl LogoutBus for CutBus {
    /// Until it is cut. Then this node is a member no more.
    async fn listen(&self, listener: &LogoutListener) {
        let mut is_cut = self.is_cut.subscribe();
        let _ = is_cut.wait_for(|is_cut| !is_cut).await;
        tokio::select! {
            () = self.bus.listen(listener) => {}
            _ = is_cut.wait_for(|is_cut| *is_cut) => {}
        }
    }

    async fn publish(&self, news: &str) -> Result<Reach, BoxError> {
        if *self.is_cut.borrow() {
            return Err("the bus is cut".into());
        }
        self.bus.publish(news).await
    }

    fn may_cache(&self) -> bool {
        self.bus.may_cache()
    }

    fn longest_lease(&self) -> Option<Duration> {
        self.bus.longest_lease()
    }
}
