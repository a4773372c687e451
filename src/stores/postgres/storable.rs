//! What PostgreSQL can store: text without null characters, and ids that fit an index entry.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::{RevocationKey, Subject};

/// The longest id, in bytes: two of them fit an index entry. OpenID Connect allows 255 characters.
const LONGEST_ID: usize = 1_024;

/// The columns of a key in `clef_revocations` and `clef_sessions`: kind, issuer and id.
pub(super) fn key_columns(key: &RevocationKey) -> (&'static str, String, String) {
    (
        key.kind(),
        storable_id(key.issuer()).into_owned(),
        storable_id(&key.id()).into_owned(),
    )
}

/// An id that PostgreSQL cannot store is replaced by its digest, so that its logout does not fail
/// forever.
pub(super) fn storable_id(id: &str) -> Cow<'_, str> {
    if can_store_id(id) {
        return id.into();
    }
    let digest = Sha256::digest(id.as_bytes());
    format!("sha256:{}", URL_SAFE_NO_PAD.encode(digest)).into()
}

/// Whether PostgreSQL can store this subject. Others are rejected as unknown: an error would be
/// retried forever.
pub(super) fn can_store_subject(subject: &Subject) -> bool {
    can_store_id(subject.issuer()) && can_store_id(subject.id())
}

fn can_store_id(id: &str) -> bool {
    id.len() <= LONGEST_ID && can_store(id)
}

/// PostgreSQL text cannot contain a null character.
pub(super) fn can_store(text: &str) -> bool {
    !text.contains('\0')
}

/// A field of a profile, if it can be stored.
pub(super) fn storable(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| can_store(text))
}
