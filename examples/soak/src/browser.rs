//! A browser, as far as it takes one: a cookie jar, and what the oracle knows of its login.

use axum::http::HeaderMap;
use test_support::Jar;

use crate::oracle::Login;

pub struct Browser {
    /// Whose it is: a place in the list of people.
    pub person: usize,
    /// The login that it has, unless that is over for sure.
    pub login: Option<Login>,
    /// How often it has logged in and signed out, or hung up in the middle of that.
    pub changes: u64,
    pub jar: Jar,
}

impl Browser {
    pub fn new(person: usize) -> Self {
        Self {
            person,
            login: None,
            changes: 0,
            jar: Jar::default(),
        }
    }

    /// It has hung up in the middle of what ends its login.
    pub fn doubt(&mut self) {
        self.login = self.login.map(Login::doubted);
        self.changes += 1;
    }

    /// An answer arrives.
    pub fn take(&mut self, headers: &HeaderMap) {
        self.jar.take(headers);
    }
}
