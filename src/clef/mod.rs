//! Clef, version 1 of its API: log in by a wave of the phone, and end every login with one
//! tap on it.
//!
//! The hosted service closed in 2017. [`Clef::new`] takes the base URL of a service that speaks
//! its API, such as the one that the `dev` feature brings.

mod answer;
mod button;
mod client;
mod error;

pub use self::{
    button::{ButtonColor, ButtonStyle, ButtonType},
    client::Clef,
    error::ClefError,
};
