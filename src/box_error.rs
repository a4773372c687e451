//! Errors of others.

use std::error::Error;

/// Any error of a store or a provider. It reaches the log and the `source` of an error, never
/// a page; so no secret may stand in it.
pub type BoxError = Box<dyn Error + Send + Sync>;
