//! Logins at an OAuth 2.0 provider without OpenID Connect, from the start to the logout, with a
//! provider on loopback.

mod logins;
mod provider;
mod refusals;
mod settings;
mod site;
mod tokens;
