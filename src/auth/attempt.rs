//! One login attempt: its state, and its cookie as text.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;

use super::Reauthentication;
use crate::{
    Timestamp,
    provider::{LoginSecret, OneTimeState},
    site::{ReturnPath, Site},
};

/// How much of a state names its attempt, in bytes, whichever callback the state comes to.
const HANDLE: usize = 8;

/// An attempt as its cookie keeps it.
pub(super) struct Attempt {
    pub(super) stage: Stage,
    pub(super) begun_at: Timestamp,
    pub(super) reauthentication: Option<Reauthentication>,
    pub(super) next: ReturnPath,
}

/// The beginning of the SHA-256 of a state.
type StateDigest = [u8; 16];

pub(super) enum Stage {
    Open {
        secret: LoginSecret,
        /// Whether a person began it, and not a timer or a frame of a page.
        by_person: bool,
    },
    /// Its state was used in this browser.
    Used {
        digest: StateDigest,
        /// The stamp of the login that began; `None` if it failed.
        logged_in_at: Option<Timestamp>,
    },
}

/// The one-time state: for one callback, as what another provider sends here does not fit, and for
/// one beginning and way back.
pub(super) fn state_of(
    secret: &LoginSecret,
    callback: &Url,
    begun_at: Timestamp,
    reauthentication: Option<&Reauthentication>,
    next: &ReturnPath,
) -> OneTimeState {
    let begun_at = beginning(begun_at, reauthentication);
    let purpose = format!("state for {callback} {begun_at} {}", next.as_str());
    OneTimeState::new(handle_of(secret) + secret.derive(&purpose).as_str())
}

/// When it began, and what it has to prove.
fn beginning(begun_at: Timestamp, reauthentication: Option<&Reauthentication>) -> String {
    let begun_at = begun_at.as_micros();
    match reauthentication {
        Some(reauthentication) => format!("{begun_at}:{}", reauthentication.to_text()),
        None => begun_at.to_string(),
    }
}

/// What the state begins with, at every callback.
fn handle_of(secret: &LoginSecret) -> String {
    let mut handle = secret.derive("handle of the state");
    handle.truncate(HANDLE);
    handle
}

/// The digest that recognizes a used state.
pub(super) fn digest_of(state: &str) -> StateDigest {
    let digest: [u8; 32] = Sha256::digest(state).into();
    let mut beginning = StateDigest::default();
    beginning.copy_from_slice(&digest[..16]);
    beginning
}

impl Attempt {
    /// Whether a state names this attempt, whichever callback it came to.
    pub(super) fn is_named_by(&self, state: &str) -> bool {
        let named = match &self.stage {
            Stage::Open { secret, .. } => {
                let Some(handle) = state.as_bytes().get(..HANDLE) else {
                    return false;
                };
                handle_of(secret).as_bytes().ct_eq(handle)
            }
            Stage::Used { digest, .. } => digest.ct_eq(&digest_of(state)),
        };
        named.into()
    }

    pub(super) fn to_text(&self) -> String {
        let (stage, bytes) = match &self.stage {
            Stage::Open { secret, by_person } => {
                let stage = if *by_person { "p" } else { "b" };
                (stage.to_owned(), &secret.as_bytes()[..])
            }
            Stage::Used {
                digest,
                logged_in_at,
            } => {
                let stamp = logged_in_at.map(|stamp| format!("u{}", stamp.as_micros()));
                (stamp.unwrap_or_else(|| "f".to_owned()), &digest[..])
            }
        };
        let bytes = URL_SAFE_NO_PAD.encode(bytes);
        let begun_at = beginning(self.begun_at, self.reauthentication.as_ref());
        let next = self.next.as_str();
        format!("{stage}.{bytes}.{begun_at}.{next}")
    }

    pub(super) fn parse(site: &Site, text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let stage = parts.next()?;
        let bytes = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let stage = match stage {
            "p" | "b" => Stage::Open {
                secret: LoginSecret::from_bytes(bytes.try_into().ok()?),
                by_person: stage == "p",
            },
            _ => Stage::Used {
                digest: bytes.try_into().ok()?,
                logged_in_at: match stage.strip_prefix('u') {
                    Some(stamp) => Some(Timestamp::from_micros(stamp.parse().ok()?)),
                    None => None,
                },
            },
        };
        let beginning = parts.next()?;
        let (begun_at, reauthentication) = match beginning.split_once(':') {
            Some((begun_at, rest)) => (begun_at, Some(Reauthentication::parse(rest)?)),
            None => (beginning, None),
        };
        Some(Self {
            stage,
            begun_at: Timestamp::from_micros(begun_at.parse().ok()?),
            reauthentication,
            next: ReturnPath::parse(site, parts.next()?)?,
        })
    }
}
