//! What is open when a login ends: pages, streams, sockets and downloads.

mod causes;
mod counted;
mod interval;
mod limits;
mod load;
mod news;
mod pages;
mod place;
mod replaced;
mod script;
mod told;
mod wire;
mod wrappers;
