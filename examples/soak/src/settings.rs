//! What the environment says.

use std::{env, str::FromStr, time::Duration};

/// How many sessions a person has.
const SESSIONS_OF_A_PERSON: usize = 8;
/// The local Clef remembers of a thousand people that they are in the site, and would not tell it
/// of the logout of others.
const MOST_PEOPLE: usize = 1_000;

pub struct Settings {
    pub length: Duration,
    pub sessions: usize,
    pub people: usize,
    pub store: Store,
    pub logins: Logins,
    /// How many seconds the clock of the user store advances in each second.
    pub clock_speed: u32,
    /// How long a login lasts at most, by the system clock.
    pub lifetime: Option<Duration>,
    /// `None` if the run is not paced.
    pub requests_per_second: Option<u32>,
    /// How often progress is printed.
    pub progress: Duration,
    pub seed: u64,
}

/// Where the logins are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logins {
    Memory,
    Redis,
    /// Sealed in their cookies.
    Sealed,
}

impl Logins {
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Sealed => "sealed",
        }
    }
}

/// Where the users are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Memory,
    Sqlite,
    Postgres,
}

impl Store {
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Settings {
    /// # Errors
    ///
    /// When a variable is not what it must be; the text names it.
    pub fn from_env() -> Result<Self, String> {
        let seconds: u64 = number("SOAK_SECONDS", 60)?;
        let sessions: usize = number("SOAK_SESSIONS", 4_000)?;
        if seconds == 0 || sessions == 0 {
            return Err("SOAK_SECONDS and SOAK_SESSIONS must be more than 0".to_owned());
        }
        let store = match env::var("SOAK_STORE").as_deref() {
            Err(env::VarError::NotPresent) | Ok("sqlite") => Store::Sqlite,
            Ok("memory") => Store::Memory,
            Ok("postgres") => Store::Postgres,
            _ => return Err("SOAK_STORE must be memory, sqlite or postgres".to_owned()),
        };
        let sealed = match env::var("SOAK_SEALED").as_deref() {
            Err(env::VarError::NotPresent) | Ok("0") => false,
            Ok("1") => true,
            _ => return Err("SOAK_SEALED must be 0 or 1".to_owned()),
        };
        let logins = match (env::var("SOAK_LOGINS").as_deref(), sealed) {
            (Err(env::VarError::NotPresent), true) => Logins::Sealed,
            (_, true) => {
                return Err("SOAK_LOGINS has no effect with SOAK_SEALED=1; unset one".to_owned());
            }
            (Err(env::VarError::NotPresent) | Ok("memory"), false) => Logins::Memory,
            (Ok("redis"), false) => Logins::Redis,
            _ => return Err("SOAK_LOGINS must be memory or redis".to_owned()),
        };
        let clock_speed = number("SOAK_CLOCK_SPEED", 1)?;
        let progress = number("SOAK_PROGRESS_SECONDS", 10)?;
        if clock_speed == 0 || progress == 0 {
            return Err(
                "SOAK_CLOCK_SPEED and SOAK_PROGRESS_SECONDS must be more than 0".to_owned(),
            );
        }
        let lifetime: u64 = number("SOAK_LIFETIME_SECONDS", 0)?;
        let requests_per_second: u32 = number("SOAK_REQUESTS_PER_SECOND", 0)?;
        Ok(Self {
            length: Duration::from_secs(seconds),
            sessions,
            people: sessions.div_ceil(SESSIONS_OF_A_PERSON).min(MOST_PEOPLE),
            store,
            logins,
            clock_speed,
            lifetime: (lifetime > 0).then(|| Duration::from_secs(lifetime)),
            requests_per_second: (requests_per_second > 0).then_some(requests_per_second),
            progress: Duration::from_secs(progress),
            seed: number("SOAK_SEED", rand::random())?,
        })
    }
}

fn number<N: FromStr>(variable: &str, default: N) -> Result<N, String> {
    match env::var(variable) {
        Err(env::VarError::NotPresent) => Ok(default),
        Err(error) => Err(format!("{variable}: {error}")),
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{variable} is {text:?}; it must be a whole number")),
    }
}
