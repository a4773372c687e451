//! A browser, as far as it takes one: a cookie jar, and the login it has.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};

use crate::oracle::Login;

pub struct Browser {
    /// Whose it is: a place in the list of people.
    pub person: usize,
    pub login: Option<Login>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(person: usize) -> Self {
        Self {
            person,
            login: None,
            cookies: BTreeMap::new(),
        }
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
            let cookie = cookie.to_str().unwrap_or_default();
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
