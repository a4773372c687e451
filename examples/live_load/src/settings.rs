//! What the environment says.

use std::{env, str::FromStr, time::Duration};

use crate::{Failure, site::Kind};

pub struct Settings {
    /// How many pages are open.
    pub pages: usize,
    /// How many of them each person has.
    pub each: usize,
    /// How many people are logged out.
    pub logouts: usize,
    /// How long pages come and go.
    pub length: Duration,
    /// How many people come and go.
    pub visitors: usize,
    /// The site that this process serves; `None` in the process with the pages.
    pub site: Option<Kind>,
}

impl Settings {
    /// # Errors
    ///
    /// When a variable is not what it must be; the text names it.
    pub fn from_environment() -> Result<Self, Failure> {
        let site = env::var("LIVE_SITE").ok();
        Ok(Self {
            pages: number("LIVE_PAGES", 10_000)?,
            each: number("LIVE_PAGES_EACH", 5)?.max(1),
            logouts: number("LIVE_LOGOUTS", 200)?,
            length: Duration::from_secs(number("LIVE_SECONDS", 10)?),
            visitors: number("LIVE_VISITORS", 100)?,
            site: site.map(|site| Kind::from_name(&site)).transpose()?,
        })
    }

    pub fn people(&self) -> usize {
        self.pages.div_ceil(self.each)
    }

    /// How many pages one of them has.
    pub fn pages_of(&self, person: usize) -> usize {
        self.each.min(self.pages - person * self.each)
    }

    /// The same pages, all of one person, who is logged out once.
    pub fn of_one_person(&self) -> Self {
        Self {
            each: self.pages,
            logouts: 1,
            ..*self
        }
    }

    /// The files that each of the two processes has open.
    pub fn files(&self) -> u64 {
        self.pages as u64 + 200
    }
}

fn number<N: FromStr>(name: &str, otherwise: N) -> Result<N, Failure> {
    match env::var(name) {
        Ok(text) => {
            let number = text.parse();
            number.map_err(|_| format!("{name} is {text:?}; write a whole number").into())
        }
        Err(_) => Ok(otherwise),
    }
}
