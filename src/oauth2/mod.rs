//! Logins at OAuth 2.0 providers that do not support OpenID Connect, such as GitHub (feature
//! `oauth2`).
//!
//! A login uses the authorization code flow with PKCE and `state` (RFC 6749, RFC 7636, RFC 9700). The
//! user is who the provider's API says that the access token belongs to: a function of the
//! application [reads](UserInfo) the id.
//!
//! OAuth 2.0 has no logout. A sign-out ends at this site, and such a provider sends no notice when a
//! user logs out there or is blocked. The application ends logins itself, with
//! [`Logouts`](crate::Logouts). It also does not say when the user has entered a password. If the
//! provider supports OpenID Connect, use `oidc::Oidc`, which has all of this.
//!
//! Start with [`OAuth2::new`].

mod client;
mod error;
mod provider;
mod user_info;

pub use self::{
    client::{OAuth2, OAuth2Endpoints},
    error::OAuth2Error,
    user_info::UserInfo,
};
pub use crate::token_request::ClientAuthentication;
