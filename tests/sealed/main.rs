//! Sessions in a sealed cookie, by `tower-sessions-cookie-store`: a logged-in request asks no
//! session store, and the promise holds all the same.

mod browser;
mod everywhere;
mod leased;
#[path = "../faults/log.rs"]
mod log;
mod promise;
mod site;
mod size;
