//! A browser, as far as it takes one: a cookie jar, and what the oracle knows of its login.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};

use crate::oracle::Login;

pub struct Browser {
    /// Whose it is: a place in the list of people.
    pub person: usize,
    /// The login that it has, unless that is over for sure.
    pub login: Option<Login>,
    /// How often it has logged in and signed out, or hung up in the middle of that.
    pub changes: u64,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(person: usize) -> Self {
        Self {
            person,
            login: None,
            changes: 0,
            cookies: BTreeMap::new(),
        }
    }

    /// It has hung up in the middle of what ends its login.
    pub fn doubt(&mut self) {
        self.login = self.login.map(Login::doubted);
        self.changes += 1;
    }

    /// The header `Cookie` of a request.
    pub fn cookies(&self) -> String {
        let pairs = self.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// An answer arrives.
    pub fn take(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let Ok(cookie) = cookie.to_str() else {
                continue;
            };
            let mut parts = cookie.split("; ");
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            if value.is_empty() || parts.any(|attribute| attribute == "Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
