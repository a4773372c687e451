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
    /// Whether logins are sealed in their cookies, and not stored.
    pub sealed: bool,
    pub seed: u64,
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
        Ok(Self {
            length: Duration::from_secs(seconds),
            sessions,
            people: sessions.div_ceil(SESSIONS_OF_A_PERSON).min(MOST_PEOPLE),
            store,
            sealed,
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
