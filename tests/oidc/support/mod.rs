//! What the tests stand on: a provider with its keys, a site of several nodes, and a browser.

mod browser;
mod keys;
mod provider;
mod site;

pub mod log {
    pub use test_support::log::{events_at as events, listen};
}

pub use self::{
    browser::{Browser, location, query},
    keys::{EC, EC384, ED, OTHER_RSA, RSA, SigningKey, mac, unsigned},
    provider::{ALEX, CLIENT_ID, CLIENT_SECRET, KEY_ID, OpenIdProvider, Person, TEAM_ID, now},
    site::{Heard, Node, Site},
};
