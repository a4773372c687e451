//! Leased users through the router: several nodes that share a store and keep what they read, in a
//! time that is turned. `postgres` and `redis` are the buses over real servers.

mod attacker;
mod durations;
mod forged;
mod keeping;
mod kit;
mod news;
mod nodes;
mod overlaps;
mod postgres;
mod redis;
mod world;
