//! What is open when a login ends: pages, streams, sockets and downloads.

mod counted;
mod interval;
mod load;
mod news;
#[path = "../../examples/live_load/page.rs"]
mod page;
mod pages;
mod place;
mod script;
#[path = "../site/support/mod.rs"]
#[allow(dead_code, unused_imports)] // The tests of `site` use the rest.
mod support;
mod told;
mod wrappers;
