//! The routes under attack: notices and logins cost calls to the provider, and any client can send
//! them.
//!
//! What has to do with time goes through the router in a time of its own, which stands still until
//! everybody waits: there ten thousand notices a second are ten each millisecond, whatever the
//! machine. The flood comes over loopback too, from an address of its own.

mod flood;
mod limits;
mod logins;
mod loopback;
#[cfg(target_os = "linux")]
mod memory;
mod provider;
mod settings;
mod site;
