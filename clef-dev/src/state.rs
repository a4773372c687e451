use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use url::Url;

use super::{
    Fault, Person,
    delivery::Deliveries,
    destination::Destination,
    logins::{Exchange, ExchangeError, Logins, Notice},
    short_lived::ShortLived,
    timers::Timers,
    waiting::Waiting,
};

/// How long a browser is remembered. The timer is what ends it, unless that is set to ∞.
const BROWSER_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Everything that changes while the service runs, behind one lock. The methods here are the steps
/// that more than one part takes, all or none.
pub(super) struct State {
    pub(super) logins: Logins,
    pub(super) waiting: Waiting,
    pub(super) timers: Timers,
    pub(super) deliveries: Deliveries,
    pub(super) faults: Vec<Fault>,
    /// How many log-outs, deliveries and retries are under way.
    pub(super) under_way: usize,
    /// Rises with each change.
    pub(super) version: u64,
    /// The browsers that need not show the wave again, by the key in their cookie.
    browsers: ShortLived<Arc<Person>>,
}

/// An approved login on its way back to the site.
pub(super) struct Finish {
    pub(super) url: Url,
    /// What the browser is known by from now on.
    pub(super) browser: String,
}

impl State {
    pub(super) fn new(published: Arc<Person>, waiting_lifetime: Duration) -> Self {
        Self {
            logins: Logins::new(published),
            waiting: Waiting::new(waiting_lifetime),
            timers: Timers::default(),
            deliveries: Deliveries::default(),
            faults: Vec::new(),
            under_way: 0,
            version: 0,
            browsers: ShortLived::new(BROWSER_LIFETIME),
        }
    }

    /// A person approves a login; `false` if it waits no more.
    pub(super) fn approve(&mut self, key: &str, person: &Arc<Person>, now: Instant) -> bool {
        let approved = self.waiting.approve(key, person, now);
        if approved {
            self.timers.start(person, now);
        }
        approved
    }

    /// Picks up a login that was approved; `None` if there is none.
    pub(super) fn finish(&mut self, key: &str, now: Instant) -> Option<Finish> {
        let (person, destination) = self.waiting.take(key, now)?;
        Some(Finish {
            url: self.log_in(&person, &destination, now),
            browser: self.browsers.insert(person, now),
        })
    }

    /// Sends a person to a site, with a code.
    pub(super) fn log_in(
        &mut self,
        person: &Arc<Person>,
        destination: &Destination,
        now: Instant,
    ) -> Url {
        self.timers.start(person, now);
        let code = self.logins.give_code(person, destination, now);
        destination.with_code(&code)
    }

    /// Exchanges a code for an access token. From here on the person is in the site.
    pub(super) fn exchange_code(
        &mut self,
        exchange: &Exchange<'_>,
        now: Instant,
    ) -> Result<String, ExchangeError> {
        let (token, person) = self.logins.exchange_code(exchange, now)?;
        self.timers.start(&person, now);
        Ok(token)
    }

    /// The person of a browser that need not show the wave again.
    pub(super) fn person_of_browser(&self, key: &str, now: Instant) -> Option<&Arc<Person>> {
        self.browsers.get(key, now)
    }

    /// Ends everything that a person has begun, and says which sites are to hear of it.
    pub(super) fn begin_log_out(&mut self, person: &Person, now: Instant) -> Vec<Notice> {
        self.timers.stop(person);
        self.waiting.withdraw(person);
        self.browsers.retain(|owner| owner.id() != person.id());
        self.logins.begin_log_out(person, now)
    }
}
