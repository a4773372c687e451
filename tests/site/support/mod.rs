//! What the tests stand on: a clock to set, stores to break, a provider to script, nodes
//! that share stores, and browsers.

pub mod browser;
pub mod clock;
pub mod jar;
mod node;
pub mod provider;
pub mod record;
mod sessions;
mod users;

pub use self::{
    browser::Browser,
    clock::TestClock,
    jar::Jar,
    node::{Node, World},
    provider::{Pause, ScriptedProvider},
    sessions::TestSessions,
    users::TestUsers,
};
