//! What is answered to whom.
