//! Leased users through the router: several nodes that share a store and keep what they read, in a
//! time that is turned. `postgres` and `redis` are the buses over real servers.

mod attacker;
#[path = "../model/browser.rs"]
mod browser;
mod bus;
#[path = "../postgres/database.rs"]
mod database;
mod durations;
mod forged;
#[path = "../model/holds.rs"]
mod holds;
mod keeping;
mod kit;
mod news;
mod nodes;
mod overlaps;
mod postgres;
#[path = "../model/provider.rs"]
mod provider;
mod redis;
mod users;
mod world;
