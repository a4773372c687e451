//! The local Clef service, over the wire.

mod bench;
mod control;
mod login_page;
mod phone;
mod webhooks;
mod wire;
