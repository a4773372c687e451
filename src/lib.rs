//! Log out once, logged out everywhere, at once: timestamped logins for axum.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
pub mod clef;
mod profile;
pub mod provider;
mod session;
mod site;
mod timestamp;
mod user;

pub use self::{
    address::AddressError,
    profile::{Profile, Subject},
    timestamp::Timestamp,
    user::{BoxError, User, UserStore},
};
