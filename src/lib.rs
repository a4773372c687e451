//! Log out once, logged out everywhere, at once: timestamped logins for axum.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod profile;
mod timestamp;
mod user;

pub use self::{
    profile::{Profile, Subject},
    timestamp::Timestamp,
    user::{BoxError, User, UserStore},
};
