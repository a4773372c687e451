//! Polling events from a sender that cannot reach this site (RFC 8936).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use http::{StatusCode, header};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{task::JoinSet, time::Instant};
use tracing::Instrument as _;
use url::Url;

use super::{
    AccessToken, EventReceiver, StreamError, answer,
    settled_ids::{LONGEST_ID, SettledIds},
};
use crate::{
    AddressError, address,
    calls::{self, CallError, LazyClient},
    jose::RemoteError,
    log_limit::LogLimit,
    provider::{LogoutMessage, LogoutOutcome},
};

/// How long the sender may wait for an event before it answers. Proxies often close a connection
/// after a minute.
const LONG_POLL: Duration = Duration::from_secs(55);
/// The unanswered polls in a row before the first warning, and from one to the next: about an hour.
const FIRST_UNANSWERED: u32 = 10;
const HOURLY_UNANSWERED: u32 = 65;
/// The shortest time from one request to the next, by default, where the sender has nothing new.
const INTERVAL: Duration = Duration::from_secs(5);
/// The waits after the first failure, and after many.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How many events are asked for at once, beside those that have failed.
const MOST_EVENTS: usize = 16;
/// How many events that have failed are asked for again, so that others behind them come too.
const MOST_FAILED: usize = 240;
/// How many events are handled at a time.
const CONCURRENCY: usize = 16;
/// The longest token, in bytes, also of pushed ones.
const LONGEST_TOKEN: usize = 16 * 1024;
/// The largest answer, in bytes: that of a sender which sends more events than were asked for.
const LARGEST: usize = 8 * 1024 * 1024;

/// Polls the events of a stream, for a site that the sender cannot reach (RFC 8936).
///
/// An application spawns the future of [`ClefLayer::poll_events`](crate::ClefLayer::poll_events). Each
/// event is handled as if it was pushed, and is acknowledged to the sender once its logout is written.
/// A request waits at the sender for the next events, for up to 55 seconds, except with
/// [`short_polling`](Self::short_polling). If the sender answers at once although it has no new events,
/// the next request is sent after the [`interval`](Self::interval). After a failure it is sent after a
/// second, and up to a minute after many. Ten requests in a row without an answer are a warning in the
/// log, which is repeated every hour.
///
/// At most 16 events are verified and passed to the hook at a time. Those that fail are asked for again
/// together with 16 others, up to 256 in all: 256 events that always fail hold up those behind them.
/// Each is tried again once the interval, and at least a second, has passed.
///
/// Poll a stream at one node at a time, for example under a lock in the database: each node remembers
/// by itself which events it has handled, so an event that another node has just acknowledged would
/// end the logins that have begun since.
///
/// ```no_run
/// use axum_clef::{
///     BoxError, ClefLayer,
///     secrecy::SecretString,
///     security_events::{EventPoll, EventReceiver},
/// };
///
/// fn start(auth: &ClefLayer, receiver: &EventReceiver, token: SecretString) -> Result<(), BoxError> {
///     let poll = EventPoll::new(receiver, "https://id.example.com/ssf/poll", token)?;
///     tokio::spawn(auth.poll_events(poll)?);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct EventPoll {
    receiver: EventReceiver,
    url: Url,
    token: AccessToken,
    interval: Duration,
    short_polling: bool,
    client: LazyClient,
    log_limit: Arc<LogLimit<()>>,
}

/// What the next request acknowledges of the events of earlier ones.
#[derive(Default)]
struct Report {
    acknowledged: BTreeSet<String>,
    /// The code and description of each event that is refused.
    refused: BTreeMap<String, (&'static str, &'static str)>,
    /// The events that have to come again and when each was last tried, the earliest first.
    failed: Vec<(String, Instant)>,
}

/// An answer of the sender (RFC 8936, section 2.3). Whether it has more is of no use: it is asked at
/// once after each new event.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    sets: Map<String, Value>,
}

impl EventPoll {
    /// Polls at the `endpoint_url` of the stream, with the access token that the sender asks for.
    ///
    /// # Errors
    ///
    /// Returns an [`AddressError`] if this is no absolute URL, or is plain `http` to another
    /// machine. Correct the URL.
    pub fn new(
        receiver: &EventReceiver,
        endpoint_url: &str,
        token: impl Into<AccessToken>,
    ) -> Result<Self, AddressError> {
        Ok(Self {
            receiver: receiver.clone(),
            url: address::endpoint(endpoint_url)?,
            token: token.into(),
            interval: INTERVAL,
            short_polling: false,
            client: LazyClient::default(),
            log_limit: Arc::default(),
        })
    }

    /// The shortest time from one request to the next where the sender has no new events. Defaults to
    /// five seconds, and is at least 100 milliseconds. A sender that waits for events needs none.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(100));
        self
    }

    /// Asks the sender to answer at once, even if it has no events: `returnImmediately` is `true`. Some
    /// senders, such as caep.dev, refuse any other poll. An event arrives up to an
    /// [`interval`](Self::interval) later. Off by default.
    #[must_use]
    pub fn short_polling(mut self) -> Self {
        self.short_polling = true;
        self
    }

    /// The URL, which identifies the poll.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The receiver of the events.
    pub(crate) fn receiver(&self) -> EventReceiver {
        self.receiver.clone()
    }

    /// Polls for ever. `receive` handles one event; it goes on if its future is dropped.
    pub(crate) async fn run<R, F>(self, receive: R)
    where
        R: Fn(LogoutMessage) -> F,
        F: Future<Output = LogoutOutcome> + Send + 'static,
    {
        let mut report = Report::default();
        let mut settled = SettledIds::default();
        let mut wait = SHORTEST_WAIT;
        let mut unanswered = 0;
        loop {
            let asked_at = Instant::now();
            let answer = match self.ask(&report).await {
                Ok(answer) => answer,
                Err(error) => {
                    unanswered = 0;
                    let sender = self.receiver.remote.issuer();
                    tracing::warn!(%error, sender, ?wait, "events could not be polled");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                    continue;
                }
            };
            let Some(answer) = answer else {
                unanswered += 1;
                self.log_unanswered(unanswered);
                continue;
            };
            unanswered = 0;
            let known: BTreeSet<_> = report.failed.iter().map(|(id, _)| id.clone()).collect();
            report = self.handle(answer.sets, &receive, report.failed).await;
            wait = SHORTEST_WAIT;
            let has_settled = settled.add(report.ids());
            let has_failed = report.failed.iter().any(|(id, _)| !known.contains(id));
            // There may be more events behind the new ones, until too many fail.
            if has_settled || has_failed && report.failed.len() < MOST_FAILED {
                continue;
            }
            // A sender that repeats itself is asked no more often than an idle one.
            if report.failed.is_empty() {
                tokio::time::sleep_until(asked_at + self.interval).await;
            } else {
                tokio::time::sleep(self.retry_interval()).await;
            }
        }
    }

    /// The shortest time from the end of one try of an event to the next one.
    fn retry_interval(&self) -> Duration {
        self.interval.max(SHORTEST_WAIT)
    }

    /// Sends one request. `None` if the sender has not begun to answer a long poll in time: its own
    /// limit is not known here, and may be longer (RFC 8936, section 2.2).
    async fn ask(&self, report: &Report) -> Result<Option<Answer>, StreamError> {
        let token = self.token.get().await?;
        let mut request = self
            .client
            .get(self.url.as_str())?
            .post(self.url.clone())
            .bearer_auth(token.expose_secret())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(report.to_json(self.short_polling).to_string());
        if !report.refused.is_empty() {
            request = request.header(header::CONTENT_LANGUAGE, answer::LANGUAGE);
        }
        if !self.short_polling {
            request = request.timeout(LONG_POLL);
        }
        let asked_at = Instant::now();
        let response = match calls::send(request).await {
            Err(CallError::TimedOut) if asked_at.elapsed() >= LONG_POLL => return Ok(None),
            response => response?,
        };
        let (what, status) = ("events", response.status());
        if status != StatusCode::OK {
            return Err(StreamError::of(what, status));
        }
        let body = calls::read(response, LARGEST).await?;
        let unreadable = |_| StreamError::Remote(RemoteError::Unreadable { what });
        serde_json::from_slice(&body).map(Some).map_err(unreadable)
    }

    /// Handles new events, and then a few of those that `failed` a while ago, since each may take 15
    /// seconds again.
    async fn handle<R, F>(
        &self,
        mut sets: Map<String, Value>,
        receive: &R,
        failed: Vec<(String, Instant)>,
    ) -> Report
    where
        R: Fn(LogoutMessage) -> F,
        F: Future<Output = LogoutOutcome> + Send + 'static,
    {
        let mut report = Report::default();
        let mut again = Vec::new();
        for (id, tried_at) in failed {
            let is_due = tried_at.elapsed() >= self.retry_interval();
            match sets.remove_entry(&id) {
                Some(event) if is_due && again.len() < MOST_EVENTS => again.push(event),
                // It may never come again.
                None if is_due => {}
                _ => report.failed.push((id, tried_at)),
            }
        }
        let untried = report.failed.len();
        let mut tasks = JoinSet::new();
        for (id, token) in sets.into_iter().take(MOST_EVENTS).chain(again) {
            let token = token.as_str().filter(|token| token.len() <= LONGEST_TOKEN);
            let Some(token) = token.filter(|_| id.len() <= LONGEST_ID) else {
                self.log_unreadable();
                report.enter(id, LogoutOutcome::BadToken);
                continue;
            };
            if tasks.len() >= CONCURRENCY {
                report.enter_next(&mut tasks).await;
            }
            // Until its outcome is known: its task may panic.
            report.failed.push((id.clone(), Instant::now()));
            let outcome = receive(EventReceiver::polled(token));
            let outcome = async move { (id, outcome.await) };
            tasks.spawn(outcome.in_current_span());
        }
        while report.enter_next(&mut tasks).await {}
        let now = Instant::now();
        for (_, tried_at) in &mut report.failed[untried..] {
            *tried_at = now;
        }
        // A sender may send others than before, so the earliest are removed.
        let most = MOST_FAILED + MOST_EVENTS;
        let surplus = report.failed.len().saturating_sub(most);
        report.failed.drain(..surplus);
        report
    }

    /// A warning only: a sender that has no events may hold every poll.
    fn log_unanswered(&self, count: u32) {
        if count % HOURLY_UNANSWERED == FIRST_UNANSWERED {
            tracing::warn!(
                sender = self.receiver.remote.issuer(),
                count,
                "polls were not answered within 55 seconds: there are no events, or the endpoint hangs; \
                 `StreamClient::verify` asks for an event"
            );
        }
    }

    fn log_unreadable(&self) {
        if let Some(count) = self.log_limit.count(()) {
            tracing::warn!(
                sender = self.receiver.remote.issuer(),
                count,
                "a polled event was refused: its id or token is too long, or it is no text"
            );
        }
    }
}

impl Report {
    /// Waits for the next outcome of these tasks, and enters it. Returns `false` if there is none.
    async fn enter_next(&mut self, tasks: &mut JoinSet<(String, LogoutOutcome)>) -> bool {
        let Some(outcome) = tasks.join_next().await else {
            return false;
        };
        if let Ok((id, outcome)) = outcome
            && outcome != LogoutOutcome::TryAgain
        {
            self.failed.retain(|(failed, _)| *failed != id);
            self.enter(id, outcome);
        }
        true
    }

    /// Enters the outcome of an event that need not come again.
    fn enter(&mut self, id: String, outcome: LogoutOutcome) {
        match answer::rejection(outcome) {
            Some(rejection) => {
                self.refused.insert(id, rejection);
            }
            None => {
                self.acknowledged.insert(id);
            }
        }
    }

    fn ids(&self) -> impl Iterator<Item = &String> {
        self.acknowledged.iter().chain(self.refused.keys())
    }

    /// How many events the next request asks for.
    fn most(&self) -> usize {
        MOST_EVENTS + self.failed.len().min(MOST_FAILED)
    }

    /// The body of a request (RFC 8936, section 2.2).
    fn to_json(&self, at_once: bool) -> Value {
        let mut body = json!({ "maxEvents": self.most(), "returnImmediately": at_once });
        if !self.acknowledged.is_empty() {
            body["ack"] = json!(self.acknowledged);
        }
        if !self.refused.is_empty() {
            let refused = self.refused.iter().map(|(id, (code, description))| {
                let error = json!({ "err": code, "description": description });
                (id.clone(), error)
            });
            body["setErrs"] = refused.collect();
        }
        body
    }
}

impl fmt::Debug for EventPoll {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EventPoll")
            .field("receiver", &self.receiver)
            .field("interval", &self.interval)
            .field("short_polling", &self.short_polling)
            .finish_non_exhaustive()
    }
}
