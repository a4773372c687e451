//! What some senders write differently.

/// What a sender writes differently from SSF 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Standard,
    /// Google's Cross-Account Protection: `typ` may be missing, a slash at the end of an issuer
    /// makes no difference, and subjects have a `subject_type`.
    Google,
}

impl Dialect {
    /// Whether two issuers are the same.
    pub(super) fn is_same_issuer(self, one: &str, other: &str) -> bool {
        match self {
            Self::Standard => one == other,
            Self::Google => one.trim_end_matches('/') == other.trim_end_matches('/'),
        }
    }

    /// Whether a token of this `typ` may be an event (SSF 1.0, section 4.1.1).
    pub(super) fn accepts_type(self, kind: Option<&str>) -> bool {
        match kind {
            Some("secevent+jwt") => true,
            None | Some("jwt") => self == Self::Google,
            Some(_) => false,
        }
    }
}
