//! The crate as an application meets it: through the router, with real stores.

mod answers;
mod attempts;
mod base_path;
mod buttons;
mod callbacks;
mod cookies;
mod costs;
#[path = "../postgres/database.rs"]
mod database;
mod deployed;
mod doubt;
mod everywhere;
mod hang_ups;
mod idle;
mod late;
mod leased;
mod lost_logouts;
mod mixing;
mod navigations;
mod no_effect;
mod no_provider;
mod notices;
mod own_sessions;
mod provider_sessions;
mod revoked;
mod sealed;
mod second_requests;
mod servers;
mod settings;
mod several_providers;
mod sign_outs;
mod support;
