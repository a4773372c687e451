//! The examples as a newcomer runs them: the programs themselves, on ports of their own.

mod browser;
mod program;
mod scripts;
mod two_sites;
