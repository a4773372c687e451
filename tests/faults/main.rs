//! What the crate does while something that it needs does not work: the stores, at each of
//! their calls on each route, and Clef, in each way that a service on a network can be wrong.

mod browser;
mod clef_down;
mod events;
mod fault;
mod hang_ups;
mod owed;
mod panicking_provider;
mod points;
mod replaced;
mod routes;
mod site;
mod untrusted;
mod wrong_clef;
