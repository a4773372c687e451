//! The quickstart as a newcomer runs it: the program itself, on ports of its own.

mod browser;
mod cover;
mod covered;
mod form_post;
mod policies;
mod program;
mod scripts;
mod stub;
mod two_sites;
mod walks;
