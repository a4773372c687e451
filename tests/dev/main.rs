//! The local Clef service, over the wire.

#![cfg(feature = "dev")]

mod bench;
mod control;
mod login_page;
mod phone;
mod webhooks;
mod wire;
