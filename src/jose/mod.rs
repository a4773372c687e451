//! Signed tokens (RFC 7515, RFC 7519) and the keys of those who issue them.
//!
//! `oidc` and `security_events` build on it.

mod algorithm;
mod cache;
mod claims;
mod error;
pub(crate) mod json;
mod key_set;
mod metadata;
mod public_key;
mod remote;
#[cfg(feature = "oidc")]
mod signing_key;
mod token;
mod token_error;

pub use self::{algorithm::SigningAlgorithm, error::RemoteError, token_error::TokenError};
pub(crate) use self::{
    claims::{Claims, now},
    metadata::{Metadata, endpoint},
    remote::{LIMIT, Remote, fetch},
    token::Token,
};
#[cfg(feature = "oidc")]
pub(crate) use self::{
    claims::{LEEWAY, LONGEST_ID},
    key_set::KeySet,
    signing_key::SigningKey,
    token::Header,
};
