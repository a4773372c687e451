//! Bad input at each door.
