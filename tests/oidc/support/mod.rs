//! What the tests stand on: a provider with its keys, a site of several nodes, and a browser.

mod browser;
mod keys;
pub mod log;
mod provider;
mod site;

pub use self::{
    browser::{Browser, location, query},
    keys::{EC, ED, OTHER_RSA, RSA, SigningKey, mac, unsigned},
    provider::{CLIENT_ID, CLIENT_SECRET, OpenIdProvider, Person},
    site::{Heard, Node, Site},
};
