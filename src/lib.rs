//! Log out once, logged out everywhere, at once: timestamped logins for axum.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
pub mod clef;
mod extract;
mod pending;
mod profile;
pub mod provider;
mod session;
mod site;
mod strangers;
mod timestamp;
mod user;

pub use self::{
    address::AddressError,
    extract::{LoggedIn, Login, Rejection, RejectionKind},
    profile::{Profile, Subject},
    timestamp::Timestamp,
    user::{BoxError, User, UserStore},
};
