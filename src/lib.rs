//! Log out once, logged out everywhere, at once: timestamped logins for axum.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
pub mod clef;
#[cfg(feature = "dev")]
pub mod dev;
mod extract;
mod layer;
mod pending;
mod profile;
pub mod provider;
mod routes;
mod session;
mod site;
pub mod stores;
mod strangers;
mod timestamp;
mod user;

pub use tower_sessions::SessionStore;

pub use self::{
    address::AddressError,
    extract::{LoggedIn, Login, Rejection, RejectionKind},
    layer::{ClefLayer, ClefService, ResponseFuture},
    profile::{Profile, Subject},
    routes::{ClefButton, LoginFailure, LoginFailureKind, Paths, PathsError},
    timestamp::Timestamp,
    user::{BoxError, User, UserStore},
};
