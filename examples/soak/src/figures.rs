//! What is counted, and the line at the end.

use std::{
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    settings::{Logins, Settings},
    state::State,
};

/// How many failures are told in words.
const TOLD: u64 = 10;

#[derive(Default)]
pub struct Counts {
    /// Requests that got an answer, of browsers and of notices that came again.
    pub requests: u64,
    /// Pages that had to be served, and were.
    pub served: u64,
    /// Pages that had to be refused, and were.
    pub refused: u64,
    /// Refused pages whose login had reached the end of its lifetime.
    pub expired: u64,
    /// Pages and logins that overlapped a logout.
    pub either: u64,
    pub logins: u64,
    pub logouts: u64,
    pub sign_outs: u64,
    /// Requests that saved the session of the application late.
    pub saved_back: u64,
    /// Notices that came again.
    pub repeated: u64,
    /// Requests whose client hung up before the answer.
    pub hang_ups: u64,
    /// Notices and sign-outs that the site could not write within a second, as on a busy disk.
    pub put_off: u64,
    pub stale_accepts: u64,
    pub false_refusals: u64,
    pub errors: u64,
}

impl Counts {
    /// Whether nothing happened that must not.
    pub fn is_clean(&self) -> bool {
        self.bad() == 0
    }

    /// What was written and answered.
    fn writes(&self) -> u64 {
        self.logins + self.logouts + self.sign_outs
    }

    fn bad(&self) -> u64 {
        self.stale_accepts + self.false_refusals + self.errors
    }
}

/// The counts of a run under way.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

impl Tally {
    pub fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts());
    }

    /// Somebody was served after their logout was answered, or after they had signed out.
    pub fn stale_accept(&self, what: &str) {
        self.bad(format!("stale accept: {what}"), |counts| {
            &mut counts.stale_accepts
        });
    }

    /// Somebody was refused whose login began after the last logout was answered.
    pub fn false_refusal(&self, what: &str) {
        self.bad(format!("false refusal: {what}"), |counts| {
            &mut counts.false_refusals
        });
    }

    pub fn error(&self, what: String) {
        self.bad(format!("error: {what}"), |counts| &mut counts.errors);
    }

    fn bad(&self, what: String, which: impl FnOnce(&mut Counts) -> &mut u64) {
        let mut counts = self.counts();
        *which(&mut counts) += 1;
        if counts.bad() <= TOLD {
            eprintln!("{what}");
        }
    }

    /// The counts so far, to begin anew.
    pub fn take(&self) -> Counts {
        mem::take(&mut *self.counts())
    }

    /// How much was written and answered so far.
    pub fn writes(&self) -> u64 {
        self.counts().writes()
    }

    pub fn requests(&self) -> u64 {
        self.counts().requests
    }

    pub fn progress(&self) -> String {
        let counts = self.counts();
        format!(
            "{} requests, {} logouts, {} logins, {} of what must not be",
            counts.requests,
            counts.logouts,
            counts.logins,
            counts.bad()
        )
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was held at each quarter of the run.
pub struct States {
    pub start: State,
    pub quarter: State,
    pub half: State,
    pub three_quarters: State,
    pub end: State,
}

impl fmt::Display for States {
    /// A line for each value at each moment: `soak NAME VALUE`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (moment, state) in [
            ("start", &self.start),
            ("quarter", &self.quarter),
            ("half", &self.half),
            ("three_quarters", &self.three_quarters),
            ("end", &self.end),
        ] {
            for (name, value) in state.values() {
                writeln!(formatter, "soak {moment}_{name} {value}")?;
            }
        }
        Ok(())
    }
}

/// What the soak has to show.
pub struct Figures<'a> {
    pub settings: &'a Settings,
    pub took: Duration,
    pub counts: Counts,
    pub states: States,
    /// What was written before the last tenth of the time.
    pub early_writes: u64,
}

impl Figures<'_> {
    /// How much was written in the last tenth of the time. Nothing: the site has locked up.
    fn late_writes(&self) -> u64 {
        self.counts.writes().saturating_sub(self.early_writes)
    }

    /// What was done too seldom to say anything, on the slowest machine too.
    pub fn missing(&self) -> Vec<&'static str> {
        let counts = &self.counts;
        let seconds = self.settings.length.as_secs();
        let floors = [
            ("requests", counts.requests, 50 * seconds),
            ("had to be served", counts.served, 10 * seconds),
            ("had to be refused", counts.refused, 2 * seconds),
            ("logouts", counts.logouts, seconds),
            ("logins", counts.logins, seconds),
            ("notices repeated", counts.repeated, seconds / 2),
            ("sign-outs", counts.sign_outs, seconds / 2),
            ("saved back", counts.saved_back, seconds / 2),
            ("hang-ups", counts.hang_ups, seconds / 2),
            ("written at the end", self.late_writes(), 1 + seconds / 10),
        ];
        // A few logins survive that long, even among many logouts.
        let expires = self
            .settings
            .lifetime
            .filter(|lifetime| *lifetime < self.settings.length / 4);
        let floors = floors
            .into_iter()
            .chain(expires.map(|_| ("expired", counts.expired, 1)));
        let missing = floors.filter(|(_, count, floor)| count < floor);
        missing.map(|(name, _, _)| name).collect()
    }
}

impl fmt::Display for Figures<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            requests,
            served,
            refused,
            expired,
            either,
            logins,
            logouts,
            sign_outs,
            saved_back,
            repeated,
            hang_ups,
            put_off,
            stale_accepts,
            false_refusals,
            errors,
        } = &self.counts;
        let per_second = *requests as f64 / self.took.as_secs_f64();
        write!(
            formatter,
            "soak store={} logins_in={} sealed={} seconds={} sessions={} people={} requests={requests} \
             per_second={per_second:.0} logouts={logouts} repeated={repeated} put_off={put_off} \
             logins={logins} sign_outs={sign_outs} hang_ups={hang_ups} saved_back={saved_back} served={served} \
             refused={refused} expired={expired} either={either} late_writes={} stale_accepts={stale_accepts} false_refusals={false_refusals} \
             errors={errors} memory_start_mib={} memory_half_mib={} memory_end_mib={} \
             stored_sessions_start={} stored_sessions_end={}",
            self.settings.store.name(),
            self.settings.logins.name(),
            u8::from(self.settings.logins == Logins::Sealed),
            self.settings.length.as_secs(),
            self.settings.sessions,
            self.settings.people,
            self.late_writes(),
            self.states.start.mib(),
            self.states.half.mib(),
            self.states.end.mib(),
            self.states.start.stored_sessions(),
            self.states.end.stored_sessions(),
        )
    }
}
