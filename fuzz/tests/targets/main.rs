//! The fuzz targets. By `cargo test`, each runs over its corpus and a second of random inputs;
//! `fuzz/run` runs them by coverage.

mod attempt;
mod cookies;
mod events;
mod forms;
mod headers;
mod next;
mod notices;
mod provider;
mod record;
mod router;
mod tokens;

/// The longest input, in bytes. Without a bound, bolero makes no random input for `Arbitrary` at all.
const LONGEST: usize = 1_500;
