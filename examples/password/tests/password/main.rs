//! The site over loopback: a test for each promise of `examples/password`.

mod account;
mod attempts;
mod browser;
mod log_in;
mod site;
mod store;
