//! The crate as an application meets it: through the router, over loopback.

mod doors;
mod invariants;
mod manners;
mod provider_sessions;
mod sessions;
mod several_providers;
mod support;
