//! The quickstart as a newcomer runs it: the program itself, on ports of its own.

mod program;
mod scripts;
