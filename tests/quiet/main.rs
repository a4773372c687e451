//! Nothing secret reaches a log, a `Debug` or an error text. On its own, because it listens to
//! everything that this process traces.

mod debug;
mod traces;
mod world;
