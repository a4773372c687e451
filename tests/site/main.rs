//! The crate as an application meets it: through the router, over loopback.

mod attempts;
mod cookies;
#[path = "../postgres/database.rs"]
mod database;
mod doors;
mod hang_ups;
mod invariants;
mod manners;
mod provider_sessions;
mod servers;
mod sessions;
mod several_providers;
mod support;
