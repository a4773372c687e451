//! A login that comes with a request.

use std::sync::Arc;

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tower_sessions::session::Record;
use yoke::Yoke;

use super::LoginRecord;
use crate::Timestamp;

/// The sign-out hint for the provider, in the data of a session record. It is kept beside the
/// login, as most requests do not read it.
pub(super) const HINT: &str = "axum-clef.hint";

/// The beginning of a SHA-256.
pub(crate) type LoginBinding = [u8; 16];

/// A login that the cookies of a request name, before it is compared with any logout.
pub(crate) struct PresentedLogin {
    /// The record, with the bytes that it borrows from.
    record: Yoke<LoginRecord<'static>, Vec<u8>>,
    /// When a request last counted as activity.
    pub(super) last_seen_at: Option<Timestamp>,
    pub(super) source: Source,
}

pub(super) enum Source {
    /// The record of the session store.
    Stored(Record),
    Sealed,
}

impl PresentedLogin {
    /// Reads a login. `None` if it cannot be read, or is not one of ours.
    ///
    /// It is shared from here on, as moving it costs more than the allocation.
    pub(super) fn read(
        bytes: Vec<u8>,
        source: Source,
        is_ours: impl FnOnce(&LoginRecord<'_>) -> bool,
        last_seen_at: impl FnOnce(&LoginRecord<'_>) -> Option<Timestamp>,
    ) -> Option<Arc<Self>> {
        let record = Yoke::try_attach_to_cart(bytes, |bytes| {
            LoginRecord::read(bytes).filter(is_ours).ok_or(())
        });
        let record: Yoke<LoginRecord<'static>, Vec<u8>> = record.ok()?;
        Some(Arc::new(Self {
            last_seen_at: last_seen_at(record.get()),
            record,
            source,
        }))
    }

    pub(crate) fn record(&self) -> &LoginRecord<'_> {
        self.record.get()
    }

    /// A digest that names this login to its own browser. An attempt that is not sealed can be made
    /// up, with this only by those who have the cookie: it depends on its secret. A sealed login has
    /// none, and its attempts are sealed too. Nor has a token, which links nothing.
    pub(crate) fn binding(&self) -> LoginBinding {
        let record = self.record();
        let mut digest = Sha256::new();
        // Id and secret have a fixed length.
        digest.update(format!("login {} ", record.id));
        digest.update(record.secret);
        digest.update(record.user_id.as_bytes());
        let digest: [u8; 32] = digest.finalize().into();
        let mut beginning = LoginBinding::default();
        beginning.copy_from_slice(&digest[..16]);
        beginning
    }

    /// The hint that the provider receives at the sign-out.
    pub(crate) fn sign_out_hint(&self) -> Option<SecretString> {
        let hint = match &self.source {
            Source::Stored(record) => record.data.get(HINT)?.as_str()?,
            Source::Sealed => self.record().hint,
        };
        (!hint.is_empty()).then(|| SecretString::from(hint))
    }

    /// The stamp that logouts of the user are compared with.
    fn stamp(&self) -> Timestamp {
        self.record().times().latest()
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.record().id == other.record().id && self.stamp() == other.stamp()
    }

    pub(super) fn is_of_user_of(&self, other: &Self) -> bool {
        self.record().user_id == other.record().user_id
    }

    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.stamp() > other.stamp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoginId, sessions::LoginDetails};

    fn login(id: LoginId, kept_at: i64) -> Arc<PresentedLogin> {
        let began_at = Timestamp::from_micros(1);
        let details = LoginDetails {
            id,
            user_id: "1",
            logged_in_at: began_at,
            authenticated_at: None,
            kept_at: Some(Timestamp::from_micros(kept_at)),
            written_at: began_at,
            ends_at: None,
            remember: true,
            subject: None,
            provider_key: None,
            callback: "",
        };
        let bytes = LoginRecord::new(&details, "login").to_bytes().unwrap();
        PresentedLogin::read(bytes, Source::Sealed, |_| true, |_| None).unwrap()
    }

    #[test]
    fn the_same_login_has_the_same_id_and_stamp() {
        let (id, other) = (LoginId::random(), LoginId::random());
        let this = login(id, 7);
        assert!(this.is_same(&login(id, 7)));
        assert!(!this.is_same(&login(id, 8)));
        assert!(!this.is_same(&login(other, 7)));
    }
}
