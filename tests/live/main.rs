//! What is open when a login ends: pages, streams, sockets and downloads.

mod counted;
mod interval;
mod limits;
mod load;
#[path = "../faults/log.rs"]
mod log;
mod news;
#[path = "../../examples/live_load/src/page.rs"]
mod page;
mod pages;
mod place;
mod script;
#[path = "../site/support/mod.rs"]
#[allow(dead_code, unused_imports)] // The tests of `site` use the rest.
mod support;
mod told;
mod wrappers;
