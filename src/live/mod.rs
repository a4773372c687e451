//! Tells whoever listens that a login has ended: open pages, streams, sockets.
//!
//! A check at each request says nothing to what is open already. So the logins that somebody
//! listens to are kept here, one entry for each, whatever the number of its listeners. This
//! node's own logouts reach them at once. For those of other nodes there is the news of the user
//! store, where it has some, and in any case a question at an interval, which the store answers
//! as it does a request: the store is the judge, here as there.

mod body;
mod checked;
mod end;
mod ending;
mod group;
mod hub;
mod judge;
mod login;
mod pages;
mod register;
mod stream;
mod watch;

pub(crate) use self::{
    checked::{Checked, in_a_while},
    hub::Live,
    judge::Judge,
    pages::Page,
};
pub use self::{end::LoginEnd, ending::LoginEnding};
