//! The pace of a long run, which leaves the machine to others.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

/// How many requests a logout is given. About twenty come of it, as the browsers of the user ask and log
/// in again.
const REQUESTS_OF_A_LOGOUT: u32 = 36;

pub struct Pace {
    /// `None` if the run is not paced.
    requests_per_second: Option<u32>,
    started_at: OnceLock<Instant>,
}

impl Pace {
    pub fn new(requests_per_second: Option<u32>) -> Self {
        Self {
            requests_per_second,
            started_at: OnceLock::new(),
        }
    }

    /// Waits until more than so many requests are due. The first call is the start.
    pub async fn wait(&self, requests: u64) {
        let Some(most) = self.requests_per_second else {
            return;
        };
        let started_at = *self.started_at.get_or_init(Instant::now);
        let due_after = Duration::from_secs_f64(requests as f64 / f64::from(most));
        sleep_until((started_at + due_after).into()).await;
    }

    /// The longest pause between two logouts by one of so many tasks.
    pub fn longest_pause(&self, tasks: u32, otherwise: Duration) -> Duration {
        let paced = self
            .requests_per_second
            .map(|most| Duration::from_secs(1) * 2 * tasks * REQUESTS_OF_A_LOGOUT / most);
        paced.map_or(otherwise, |paced| paced.max(otherwise))
    }
}
