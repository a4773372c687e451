//! A browser, as far as it takes one: a cookie jar, and the login it has.

use axum::http::{HeaderMap, HeaderValue, header};
use reqwest::{
    Url,
    cookie::{CookieStore as _, Jar},
};

use crate::oracle::Login;

pub struct Browser {
    /// Whose it is: a place in the list of people.
    pub person: usize,
    pub login: Option<Login>,
    jar: Jar,
    /// Where its cookies belong, at whichever node.
    site: Url,
}

impl Browser {
    pub fn new(person: usize, site: Url) -> Self {
        Self {
            person,
            login: None,
            jar: Jar::default(),
            site,
        }
    }

    /// The header `Cookie` of a request.
    pub fn cookies(&self) -> Option<HeaderValue> {
        self.jar.cookies(&self.site)
    }

    /// An answer arrives.
    pub fn take(&mut self, headers: &HeaderMap) {
        let mut cookies = headers.get_all(header::SET_COOKIE).iter();
        self.jar.set_cookies(&mut cookies, &self.site);
    }
}
