//! What the environment says.

use std::{env, net::SocketAddr};

use crate::Failure;

pub struct Settings {
    /// How many pages are open.
    pub pages: usize,
    /// How many of them each person has.
    pub each: usize,
    /// How many people are logged out.
    pub logouts: usize,
    /// Where the site is, in the process with the pages.
    pub site: Option<SocketAddr>,
}

impl Settings {
    pub fn from_environment() -> Result<Self, Failure> {
        let site = env::var("LIVE_SITE").ok();
        Ok(Self {
            pages: number("LIVE_PAGES", 10_000)?,
            each: number("LIVE_PAGES_EACH", 5)?.max(1),
            logouts: number("LIVE_LOGOUTS", 200)?,
            site: site.map(|site| site.parse()).transpose()?,
        })
    }

    pub fn people(&self) -> usize {
        self.pages.div_ceil(self.each)
    }

    /// How many pages one of them has.
    pub fn pages_of(&self, person: usize) -> usize {
        self.each.min(self.pages - person * self.each)
    }

    /// The files that each of the two processes has open.
    pub fn files(&self) -> u64 {
        self.pages as u64 + 200
    }
}

fn number(name: &str, otherwise: usize) -> Result<usize, Failure> {
    match env::var(name) {
        Ok(text) => {
            let number = text.parse();
            number.map_err(|_| format!("{name} is {text:?}; write a whole number").into())
        }
        Err(_) => Ok(otherwise),
    }
}
