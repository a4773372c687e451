//! A certified OpenID provider, which this crate has not written: `tests/real_provider/provider/`.
//!
//! `cargo test --test real_provider -- --ignored` runs these, with Node.js and after `npm ci` in
//! `tests/real_provider/provider/`; `.ci/run` does, and installs both where they are missing.

mod browser;
mod certified;
mod changes;
mod logins;
mod logouts;
mod provider;
mod site;
mod two_providers;
mod visitor;
