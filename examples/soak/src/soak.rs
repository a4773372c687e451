//! Everything that the tasks of the soak share.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum_clef::BoxError;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Client, RequestBuilder, redirect};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinHandle,
};

use crate::{
    browser::Browser, figures::Tally, oracle::Logouts, pace::Pace, settings::Settings, site::Site,
};

/// How many do something at a time.
const CLIENTS: usize = 32;
/// How many log people out.
pub const LOGGERS_OUT: u32 = 4;
/// How many requests and notices may be on their way in the background.
const IN_BACKGROUND: u32 = 256;
/// How long a request may take: far longer than the site allows itself.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

pub struct Soak {
    pub settings: Settings,
    pub site: Site,
    pub people: Vec<Logouts>,
    /// A browser does one thing after the other, but for what it does in the background.
    pub browsers: Vec<Mutex<Browser>>,
    pub tally: Tally,
    pub pace: Pace,
    pub background: Arc<Semaphore>,
    pub http: Client,
}

/// An answer that was read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Soak {
    /// # Errors
    ///
    /// When the HTTP client cannot be made.
    pub fn new(settings: Settings, site: Site) -> Result<Arc<Self>, BoxError> {
        let people = settings.people;
        Ok(Arc::new(Self {
            people: (0..people)
                .map(|_| Logouts::new(settings.lifetime))
                .collect(),
            browsers: (0..settings.sessions)
                .map(|number| Mutex::new(Browser::new(number % people)))
                .collect(),
            tally: Tally::default(),
            pace: Pace::new(settings.requests_per_second),
            background: Arc::new(Semaphore::new(IN_BACKGROUND as usize)),
            http: Client::builder()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .timeout(REQUEST_LIMIT)
                .build()?,
            settings,
            site,
        }))
    }

    /// # Errors
    ///
    /// When a task broke down.
    pub async fn log_everybody_in(self: &Arc<Self>) -> Result<(), BoxError> {
        let tasks: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let soak = Arc::clone(self);
                tokio::spawn(async move {
                    for browser in soak.browsers.iter().skip(client).step_by(CLIENTS) {
                        soak.log_in(&mut *browser.lock().await).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        Ok(())
    }

    /// Starts everything that goes on until `ends_at`.
    pub fn start(self: &Arc<Self>, ends_at: Instant) -> Vec<JoinHandle<()>> {
        let mut seeds = StdRng::seed_from_u64(self.settings.seed);
        let mut chance = || StdRng::seed_from_u64(seeds.random());
        let mut tasks = Vec::new();
        for _ in 0..CLIENTS {
            tasks.push(tokio::spawn(Arc::clone(self).browse(chance(), ends_at)));
        }
        for _ in 0..LOGGERS_OUT {
            tasks.push(tokio::spawn(
                Arc::clone(self).log_people_out(chance(), ends_at),
            ));
        }
        tasks.push(tokio::spawn(
            Arc::clone(self).repeat_notices(chance(), ends_at),
        ));
        tasks
    }

    /// Waits until all that was begun in the background has ended.
    pub async fn nothing_in_the_background(&self) {
        let all = self.background.acquire_many(IN_BACKGROUND).await;
        drop(all);
    }

    /// Sends a request with these cookies. One that gets no answer is an error.
    pub async fn send(&self, request: RequestBuilder, cookies: HeaderValue) -> Option<Answer> {
        match read(request.header(header::COOKIE, cookies)).await {
            Ok(answer) => {
                self.tally.count(|counts| counts.requests += 1);
                Some(answer)
            }
            Err(error) => {
                let error = error.without_url();
                self.tally
                    .error(format!("a request got no answer: {error:?}"));
                None
            }
        }
    }
}

async fn read(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    Ok(Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await?,
    })
}
