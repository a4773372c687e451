//! The examples as a newcomer runs them: the programs themselves, on ports of their own.

mod browser;
mod cover;
mod covered;
mod program;
mod scripts;
mod stub;
mod two_sites;
mod walks;
