//! The site over loopback: a test for each promise of `examples/magic_link`.

mod browser;
mod links;
mod log_in;
mod request;
mod site;
#[cfg(feature = "smtp")]
mod smtp;
