//! The site over loopback: a test for each promise of `examples/passkey`.

mod account;
mod authenticator;
mod browser;
mod log_in;
mod site;
