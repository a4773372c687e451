//! What is counted, a line a second, and the sum at the end.

use std::{
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use test_support::Calls;

use crate::wires::Wire;

/// What stands over the lines; times in milliseconds.
pub const HEAD: &str = "
     | requests, in ms         | calls for each   | logouts, in ms          | last old
   s | number  median 99 % in  | sessions   users | number  median  longest | login, ms";

/// How many failures are told in words.
const TOLD: u64 = 10;

pub struct Figures {
    calls: Calls,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: Vec<Duration>,
    logouts: Vec<Duration>,
    /// How long after the answer to a logout the last request began that got in by an older login,
    /// in milliseconds.
    last_old_login: Option<f64>,
    sum: Sum,
    wires: [WireCounts; Wire::ALL.len()],
}

/// The logouts by one wire.
#[derive(Default)]
struct WireCounts {
    logouts: Vec<Duration>,
    last_old_login: Option<f64>,
}

/// All of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    requests: u64,
    users_calls: u64,
    sessions_calls: u64,
    logouts: u64,
    longest_logout: Duration,
    last_old_login: Option<f64>,
    stale_accepts: u64,
    errors: u64,
}

impl Figures {
    pub fn new(calls: Calls) -> Self {
        Self {
            calls,
            counts: Mutex::default(),
        }
    }

    /// Counts from here on.
    pub fn begin(&self) {
        self.calls.take_users();
        self.calls.take_sessions();
        *self.counts() = Counts::default();
    }

    /// A page was answered.
    pub fn request(&self, took: Duration) {
        self.counts().requests.push(took);
    }

    /// A logout was answered.
    pub fn logout(&self, wire: Wire, took: Duration, last_old_login: Option<f64>) {
        let counts = &mut *self.counts();
        let of_wire = &mut counts.wires[wire as usize];
        of_wire.logouts.push(took);
        of_wire.last_old_login = greatest(of_wire.last_old_login, last_old_login);
        counts.logouts.push(took);
        counts.last_old_login = greatest(counts.last_old_login, last_old_login);
    }

    /// Somebody got in so many milliseconds after their logout was answered.
    pub fn stale_accept(&self, late: f64) {
        let counts = &mut *self.counts();
        counts.last_old_login = greatest(counts.last_old_login, Some(late));
        counts.sum.stale_accepts += 1;
        counts.sum.tell(&format!(
            "an old login gets in {late:.1} ms after its logout"
        ));
    }

    pub fn error(&self, what: &str) {
        let counts = &mut *self.counts();
        counts.sum.errors += 1;
        counts.sum.tell(what);
    }

    /// The line of the second that is over.
    pub fn second(&self) -> String {
        let counts = &mut *self.counts();
        let mut requests = mem::take(&mut counts.requests);
        let mut logouts = mem::take(&mut counts.logouts);
        let last_old_login = counts.last_old_login.take();
        let users_calls = self.calls.take_users();
        let sessions_calls = self.calls.take_sessions();
        requests.sort_unstable();
        logouts.sort_unstable();
        let sum = &mut counts.sum;
        sum.requests += requests.len() as u64;
        sum.logouts += logouts.len() as u64;
        sum.users_calls += users_calls;
        sum.sessions_calls += sessions_calls;
        sum.longest_logout = sum.longest_logout.max(share(&logouts, 100));
        sum.last_old_login = greatest(sum.last_old_login, last_old_login);
        let each = |calls: u64| calls as f64 / requests.len().max(1) as f64;
        let [half, most] = [50, 99].map(|hundredth| milliseconds(share(&requests, hundredth)));
        let [usual, longest] = [50, 100].map(|hundredth| milliseconds(share(&logouts, hundredth)));
        let last_old_login = last_old_login.map_or("-".to_owned(), |at| format!("{at:.1}"));
        format!(
            "{:>6} {half:>7.1} {most:>8.1} | {:>8.2} {:>7.2} | {:>6} {usual:>7.1} {longest:>8.1} | \
             {last_old_login:>9}",
            requests.len(),
            each(sessions_calls),
            each(users_calls),
            logouts.len(),
        )
    }

    pub fn sum(&self) -> Sum {
        // What has come since the last line.
        let _line = self.second();
        self.counts().sum
    }

    /// A line for each wire.
    pub fn wires(&self) -> Vec<String> {
        let counts = &mut *self.counts();
        let wires = Wire::ALL.into_iter().zip(&mut counts.wires);
        let line = |(wire, counts): (Wire, &mut WireCounts)| {
            let logouts = &mut counts.logouts;
            logouts.sort_unstable();
            let last = counts.last_old_login;
            let last = last.map_or("none".to_owned(), |last| format!("{last:.1}"));
            format!(
                "wire {} logouts={} median_ms={:.1} longest_ms={:.1} last_old_login_ms={last}",
                wire.name(),
                logouts.len(),
                milliseconds(share(logouts, 50)),
                milliseconds(share(logouts, 100)),
            )
        };
        wires.map(line).collect()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sum {
    fn tell(&self, what: &str) {
        if self.stale_accepts + self.errors <= TOLD {
            eprintln!("{what}");
        }
    }

    /// Whether nothing happened that must not, and enough did to say so.
    pub fn is_good(&self, seconds: u32) -> bool {
        let enough =
            self.requests >= 8 * u64::from(seconds) && 2 * self.logouts >= u64::from(seconds);
        if !enough {
            eprintln!("too little was done to say anything");
        }
        let late = self.last_old_login.is_some_and(|late| late > 0.0);
        enough && !late && self.stale_accepts == 0 && self.errors == 0
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.users_calls + self.sessions_calls;
        let last = self.last_old_login;
        write!(
            formatter,
            "cluster requests={} round_trips_each={:.2} logouts={} longest_logout_ms={:.1} \
             last_old_login_ms={} stale_accepts={} errors={}",
            self.requests,
            calls as f64 / self.requests.max(1) as f64,
            self.logouts,
            milliseconds(self.longest_logout),
            last.map_or("none".to_owned(), |last| format!("{last:.1}")),
            self.stale_accepts,
            self.errors,
        )
    }
}

fn greatest(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// The one that so many hundredths are no longer than; they are sorted.
fn share(sorted: &[Duration], hundredth: usize) -> Duration {
    let place = (sorted.len() * hundredth).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
