//! Logouts all along, and notices that come again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
};
use rand::{RngExt as _, rngs::StdRng};

use crate::{
    site::{ACCOUNT, LOGOUT, REPEATED},
    soak::{LOGGERS_OUT, Soak},
};

/// The longest pause between two logouts by the same task, unless the run is paced.
const LONGEST_PAUSE: Duration = Duration::from_millis(150);
/// The latest that a notice comes again, in milliseconds: people are back in by then.
const LATEST: u64 = 2_000;

/// The status of a notice that the site has not written within a second: it is told again.
const PUT_OFF: u16 = StatusCode::SERVICE_UNAVAILABLE.as_u16();
/// How soon it is told again.
const COME_BACK_AFTER: Duration = Duration::from_secs(1);
/// How often it is told at the most.
const MOST_ATTEMPTS: u32 = 10;

/// What became of a logout.
enum Told {
    Yes,
    /// The person is in no site.
    Nobody,
    /// The site could not write it soon enough.
    ComeBack,
    Failed(String),
}

impl Soak {
    /// Presses "log out now" on the phone of one after the other. Once that is answered, all
    /// browsers of the person ask at once.
    pub async fn log_people_out(self: Arc<Self>, mut chance: StdRng, ends_at: Instant) {
        let longest_pause = self.pace.longest_pause(LOGGERS_OUT, LONGEST_PAUSE);
        while Instant::now() < ends_at {
            let pause = chance.random_range(Duration::ZERO..longest_pause);
            tokio::time::sleep(pause).await;
            let person = chance.random_range(0..self.people.len());
            if !self.log_out(person).await {
                continue;
            }
            let back_in = chance.random_bool(0.5);
            let numbers = (person..self.browsers.len()).step_by(self.people.len());
            let asking: Vec<_> = numbers
                .map(|number| {
                    let soak = Arc::clone(&self);
                    tokio::spawn(async move {
                        let mut browser = soak.browsers[number].lock().await;
                        soak.open(&mut browser, ACCOUNT).await;
                        if back_in && browser.login.is_none() {
                            soak.log_in(&mut browser).await;
                            soak.open(&mut browser, ACCOUNT).await;
                        }
                    })
                })
                .collect();
            for task in asking {
                if let Err(error) = task.await {
                    self.tally.error(format!("a task broke down: {error}"));
                }
            }
        }
    }

    /// Whether the site was told. It is not told of users without a login.
    async fn log_out(&self, person: usize) -> bool {
        let logouts = &self.people[person];
        let _one_at_a_time = logouts.hold().await;
        logouts.begins();
        for _ in 0..MOST_ATTEMPTS {
            match self.tell(&self.site.people[person]).await {
                // What the site put off before is settled by this one.
                Told::Yes => {
                    logouts.is_answered();
                    self.tally.count(|counts| counts.logouts += 1);
                    return true;
                }
                Told::Nobody => {
                    logouts.is_answered();
                    return false;
                }
                Told::ComeBack => {
                    self.tally.count(|counts| counts.put_off += 1);
                    tokio::time::sleep(COME_BACK_AFTER).await;
                }
                Told::Failed(error) => {
                    self.tally.error(format!("a logout failed: {error}"));
                    return false;
                }
            }
        }
        self.tally.error("a logout was put off for good".to_owned());
        false
    }

    /// Has Clef tell the site of a logout.
    async fn tell(&self, person: &str) -> Told {
        let deliveries = match self.site.clef.log_out(person).await {
            Ok(deliveries) => deliveries,
            Err(error) => return Told::Failed(error.to_string()),
        };
        match deliveries.as_slice() {
            [] => Told::Nobody,
            [delivery] if delivery.succeeded() => Told::Yes,
            [delivery] if delivery.status == Some(PUT_OFF) => Told::ComeBack,
            [delivery] => Told::Failed(delivery.error.clone().unwrap_or_default()),
            [_, _, ..] => Told::Failed("Clef knows of more than one site".to_owned()),
        }
    }

    /// Sends every notice once more: some at once, while the first is being handled, some once
    /// people have logged in anew, which it must not end.
    pub async fn repeat_notices(self: Arc<Self>, mut chance: StdRng, ends_at: Instant) {
        let ends_at = tokio::time::Instant::from_std(ends_at);
        let mut notices = self.site.notices.lock().await;
        while let Ok(Some(notice)) = tokio::time::timeout_at(ends_at, notices.recv()).await {
            let pause = if chance.random_bool(0.3) {
                0
            } else {
                chance.random_range(0..LATEST)
            };
            let Ok(place) = Arc::clone(&self.background).acquire_owned().await else {
                return;
            };
            let soak = Arc::clone(&self);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                soak.repeat(notice).await;
                drop(place);
            });
        }
    }

    /// Sends a notice, and again as long as the site cannot write it.
    async fn repeat(&self, notice: Bytes) {
        for _ in 0..MOST_ATTEMPTS {
            let request = self
                .http
                .post(format!("{}{LOGOUT}", self.site.url))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(REPEATED, "1")
                .body(notice.clone());
            let Some(answer) = self.send(request, HeaderValue::from_static("")).await else {
                return;
            };
            match answer.status {
                StatusCode::OK => return self.tally.count(|counts| counts.repeated += 1),
                StatusCode::SERVICE_UNAVAILABLE => {
                    self.tally.count(|counts| counts.put_off += 1);
                    tokio::time::sleep(COME_BACK_AFTER).await;
                }
                status => {
                    let error = format!("a notice that came again was answered with {status}");
                    return self.tally.error(error);
                }
            }
        }
        let error = "a notice that came again was put off for good";
        self.tally.error(error.to_owned());
    }
}
