//! OpenID providers that this crate has not written: a certified one, `tests/real_provider/provider/`,
//! better-auth, and glewlwyd, a C program of Debian's.
//!
//! `cargo test --test real_provider -- --ignored` runs these, with Node.js, after `npm ci` in
//! `tests/real_provider/provider/` and `better_auth/`, and with glewlwyd; `.ci/run` does, and installs
//! what is missing.

mod at_glewlwyd;
mod better_auth;
mod better_auth_logouts;
mod browser;
mod certified;
mod changes;
mod glewlwyd;
mod glewlwyd_frames;
mod glewlwyd_logouts;
mod logins;
mod logouts;
mod node_process;
mod provider;
mod site;
mod two_providers;
mod visitor;
