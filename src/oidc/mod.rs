//! OpenID Connect with back-channel logout (feature `oidc`).
//!
//! - A login uses the authorization code flow with PKCE, `state` and `nonce` (OpenID Connect Core
//!   1.0, RFC 7636, RFC 9207).
//! - A logout token (OpenID Connect Back-Channel Logout 1.0) with a `sid` ends the logins of that
//!   session at the provider. This needs a user store that keeps revocations, as those of this
//!   crate do. A logout token without a `sid` ends all logins of the user.
//! - A sign-out continues at the provider if it supports that (OpenID Connect RP-Initiated Logout
//!   1.0).
//!
//! Start with [`Oidc::discover`].

mod apple;
mod back_channel;
mod claims;
mod client;
mod client_secret;
mod compatibility;
mod end_session;
mod error;
mod front_channel;
mod global_token_revocation;
mod id_token;
mod login;
mod metadata;
mod person_claims;
mod provider;
mod settings;
mod user_info;

use self::settings::Settings;
pub use self::{
    back_channel::BackChannelLogout, client::Oidc, client_secret::AppleKey, error::OidcError,
    front_channel::FrontChannelLogout, global_token_revocation::GlobalTokenRevocation,
};
pub use crate::{
    jose::{SigningAlgorithm, TokenError},
    token_request::ClientAuthentication,
};
