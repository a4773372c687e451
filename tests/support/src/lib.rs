//! What the tests, benches and load programs of axum-clef share: browsers, stores that count, fail
//! and wait, a scripted provider, a clock, nodes of one site, databases, and what is logged.

mod answer;
mod any_users;
mod browser;
mod calls;
mod clock;
mod database;
mod gauge;
pub mod hook;
mod in_parts;
mod issuer;
mod jar;
mod linked_users;
mod live_page;
pub mod log;
mod node;
mod pause;
mod program;
mod provider;
mod proxy;
pub mod record;
mod session_store;
mod subjects_alone;
mod user_store;
mod wire;

pub use self::{
    answer::{
        Answer, App, answer, location, notice, notice_request, set_cookie, set_cookies, text,
    },
    any_users::AnyUsers,
    browser::{Browser, Served, bystander, sent_to, state_in},
    calls::Calls,
    clock::{DAY, MINUTE, SECOND, TestClock},
    database::Database,
    gauge::{Entered, Gauge},
    hook::{About, Call, Hook},
    in_parts::InParts,
    issuer::Issuer,
    jar::{Jar, linking_url},
    linked_users::LinkedUsers,
    live_page::LivePage,
    node::{Node, World},
    pause::{Hold, Holds, Pause, settle},
    program::run_program,
    provider::{Asked, ISSUER, OTHER_ISSUER, ScriptedProvider, refused},
    proxy::{Cut, Proxy},
    session_store::{HookedSessions, SessionFlags, TestSessions},
    subjects_alone::SubjectsAlone,
    user_store::{HookedUsers, TestUsers, UserFlags},
    wire::{End, Wire},
};
