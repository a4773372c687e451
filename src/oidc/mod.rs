//! OpenID Connect, with back-channel logout: log in at any OpenID provider, and end every login
//! when the provider says so. Needs the feature `oidc`.
//!
//! - The login is the authorization code flow with PKCE, `state` and `nonce` (OpenID Connect
//!   Core 1.0, RFC 7636, RFC 9207).
//! - A logout token (OpenID Connect Back-Channel Logout 1.0) with a `sid` ends the logins of that
//!   session at the provider, if the user store keeps such sessions (the ready ones do), and one
//!   without all logins of the person.
//! - A sign-out here goes on at the provider, where it offers that (OpenID Connect RP-Initiated
//!   Logout 1.0).
//!
//! Start with [`Oidc::discover`].

mod claims;
mod client;
mod error;
mod exchange;
mod id_token;
mod json;
mod kept;
mod key_set;
mod login;
mod logout_answer;
mod logout_token;
mod metadata;
mod person;
mod provider;
mod remote;
mod settings;
mod sign_out;
mod token;
mod token_error;
mod user_info;

use self::{claims::Claims, person::Person, settings::Settings};
pub use self::{
    client::Oidc,
    error::OidcError,
    settings::{ClientAuthentication, SigningAlgorithm},
    token_error::TokenError,
};
