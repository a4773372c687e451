//! Every order in which things can happen, run one after the other.
//!
//! A few requests are under way at once, on one thread, so only where one waits for a store or
//! for the provider can another go on. Each such place holds whoever comes, and the explorer
//! lets them on one at a time: in every order there is. What the model in `tests/model` finds
//! by chance among many nodes and users, this finds for certain among few.
//!
//! Neither loom nor shuttle can do it: both stand in for the locks and tasks of the program, and
//! here those are tokio's, below axum.

mod explorer;
mod gated;
mod gates;
mod leases;
mod links;
mod listeners;
mod logins;
mod logouts;
mod mixes;
mod node;
mod notices;
mod other_logins;
mod sign_outs;
mod tokens;
mod trace;
mod world;
