//! Log out once, logged out everywhere, at once: timestamped logins for axum.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod timestamp;

pub use self::timestamp::Timestamp;
