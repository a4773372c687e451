//! The kinds of security events.

use std::fmt;

use serde_json::{Map, Value};

/// What a security event says, by the specification that defines it.
///
/// [`SecurityEvent::members`](super::SecurityEvent::members) has everything that the sender wrote.
/// `Debug` shows the kind only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityEventKind {
    /// CAEP: a session was revoked, or all of a person. Ends it, or them.
    SessionRevoked,
    /// CAEP: a credential was changed. By default, ends all logins unless it was created.
    CredentialChange(CredentialChange),
    /// CAEP: the claims of a token have changed.
    TokenClaimsChange,
    /// CAEP: the user has authenticated better or worse than before.
    AssuranceLevelChange,
    /// CAEP: a device complies with the policy of the organization, or no longer.
    DeviceComplianceChange,
    /// CAEP: the risk of the subject has changed.
    RiskLevelChange,
    /// RISC: the account was disabled; `reason` may say why. Ends all logins.
    AccountDisabled,
    /// RISC: the account was enabled again.
    AccountEnabled,
    /// RISC: the account was deleted for good. Ends all logins.
    AccountPurged,
    /// RISC: the user must change a credential. Ends all logins.
    AccountCredentialChangeRequired,
    /// RISC: a credential of the user was found elsewhere. Ends all logins.
    CredentialCompromise,
    /// RISC, deprecated: all sessions of the user were revoked. Ends all logins.
    SessionsRevoked,
    /// RISC: an e-mail address or phone number of the user has changed to the `new-value`.
    IdentifierChanged,
    /// RISC: an e-mail address or phone number belongs to another user now.
    IdentifierRecycled,
    /// RISC: the user recovers the account.
    RecoveryActivated,
    /// RISC: how the user can recover the account has changed.
    RecoveryInformationChanged,
    /// Google: all tokens of the user for this application were revoked. Ends all logins.
    TokensRevoked,
    /// Google: one token was revoked.
    TokenRevoked,
    /// SSF: the sender shows that its events arrive. Ends nothing.
    Verification {
        /// What the receiver asked it to repeat.
        state: Option<String>,
    },
    /// SSF: the sender enabled, paused or disabled the stream. Ends nothing.
    StreamUpdated {
        /// `enabled`, `paused` or `disabled`.
        status: String,
        /// Why.
        reason: Option<String>,
    },
    /// Apple: the user no longer uses their Apple account at this site. Ends all logins.
    ConsentRevoked,
    /// Apple: the user has deleted their Apple account. Ends all logins.
    AccountDeleted,
    /// Apple: the private address forwards e-mail again.
    EmailEnabled,
    /// Apple: the private address forwards no e-mail any more.
    EmailDisabled,
    /// Another event. Ends nothing.
    Unknown {
        /// Its URI.
        uri: String,
    },
}

/// How a credential of a user was changed (CAEP, section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialChange {
    /// The type of the credential, such as `password` or `fido2-platform`.
    pub credential_type: String,
    /// The change.
    pub change: ChangeType,
}

/// What was done to a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeType {
    /// It was created.
    Create,
    /// It was revoked.
    Revoke,
    /// It was updated.
    Update,
    /// It was deleted.
    Delete,
    /// The sender says something else, or nothing.
    Unknown,
}

/// Which logins an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Nothing,
    /// Logins of the session or the person that it names.
    SessionOrPerson,
}

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const OAUTH: &str = "https://schemas.openid.net/secevent/oauth/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";
/// The name of the framework in its drafts.
const SSE: &str = "https://schemas.openid.net/secevent/sse/event-type/";
/// Of a draft of RISC.
const RISC_VERIFICATION: &str = "https://schemas.openid.net/secevent/risc/event-type/verification";

impl SecurityEventKind {
    /// The kind of an event with this URI, or of an event of Apple with this type.
    pub(super) fn read(uri: &str, members: &Map<String, Value>) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let (base, name) = match uri.rfind('/') {
            Some(end) => uri.split_at(end + 1),
            None => ("", uri),
        };
        match (base, name) {
            (CAEP, "session-revoked") => Self::SessionRevoked,
            (CAEP, "credential-change") => Self::CredentialChange(CredentialChange {
                credential_type: text("credential_type").unwrap_or_default(),
                change: ChangeType::read(text("change_type").as_deref()),
            }),
            (CAEP, "token-claims-change") => Self::TokenClaimsChange,
            (CAEP, "assurance-level-change") => Self::AssuranceLevelChange,
            (CAEP, "device-compliance-change") => Self::DeviceComplianceChange,
            (CAEP, "risk-level-change") => Self::RiskLevelChange,
            (RISC, "account-disabled") => Self::AccountDisabled,
            (RISC, "account-enabled") => Self::AccountEnabled,
            (RISC, "account-purged") => Self::AccountPurged,
            (RISC, "account-credential-change-required") => Self::AccountCredentialChangeRequired,
            (RISC, "credential-compromise") => Self::CredentialCompromise,
            (RISC, "sessions-revoked") => Self::SessionsRevoked,
            (RISC, "identifier-changed") => Self::IdentifierChanged,
            (RISC, "identifier-recycled") => Self::IdentifierRecycled,
            (RISC, "recovery-activated") => Self::RecoveryActivated,
            (RISC, "recovery-information-changed") => Self::RecoveryInformationChanged,
            (OAUTH, "tokens-revoked") => Self::TokensRevoked,
            (OAUTH, "token-revoked") => Self::TokenRevoked,
            (SSF | SSE, "verification") => Self::verification(text("state")),
            _ if uri == RISC_VERIFICATION => Self::verification(text("state")),
            (SSF | SSE, "stream-updated") => Self::StreamUpdated {
                status: text("status").unwrap_or_default(),
                reason: text("reason"),
            },
            ("", "consent-revoked") => Self::ConsentRevoked,
            ("", "account-delete" | "account-deleted") => Self::AccountDeleted,
            ("", "email-enabled") => Self::EmailEnabled,
            ("", "email-disabled") => Self::EmailDisabled,
            _ => Self::Unknown {
                uri: uri.to_owned(),
            },
        }
    }

    fn verification(state: Option<String>) -> Self {
        Self::Verification { state }
    }

    /// The name of the event: the last segment of its URI. `unknown` for one that this crate does
    /// not know.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SessionRevoked => "session-revoked",
            Self::CredentialChange(_) => "credential-change",
            Self::TokenClaimsChange => "token-claims-change",
            Self::AssuranceLevelChange => "assurance-level-change",
            Self::DeviceComplianceChange => "device-compliance-change",
            Self::RiskLevelChange => "risk-level-change",
            Self::AccountDisabled => "account-disabled",
            Self::AccountEnabled => "account-enabled",
            Self::AccountPurged => "account-purged",
            Self::AccountCredentialChangeRequired => "account-credential-change-required",
            Self::CredentialCompromise => "credential-compromise",
            Self::SessionsRevoked => "sessions-revoked",
            Self::IdentifierChanged => "identifier-changed",
            Self::IdentifierRecycled => "identifier-recycled",
            Self::RecoveryActivated => "recovery-activated",
            Self::RecoveryInformationChanged => "recovery-information-changed",
            Self::TokensRevoked => "tokens-revoked",
            Self::TokenRevoked => "token-revoked",
            Self::Verification { .. } => "verification",
            Self::StreamUpdated { .. } => "stream-updated",
            Self::ConsentRevoked => "consent-revoked",
            Self::AccountDeleted => "account-deleted",
            Self::EmailEnabled => "email-enabled",
            Self::EmailDisabled => "email-disabled",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// What the event ends, where the application has no say.
    pub(super) fn ends(&self) -> Ends {
        match self {
            Self::SessionRevoked
            | Self::AccountDisabled
            | Self::AccountPurged
            | Self::AccountCredentialChangeRequired
            | Self::CredentialCompromise
            | Self::SessionsRevoked
            | Self::TokensRevoked
            | Self::ConsentRevoked
            | Self::AccountDeleted => Ends::SessionOrPerson,
            _ => Ends::Nothing,
        }
    }
}

impl CredentialChange {
    /// By default, every change ends all logins but the first credential of its kind: one that was
    /// created gives no other person a way in.
    pub(super) fn ends_logins(&self) -> bool {
        self.change != ChangeType::Create
    }
}

impl ChangeType {
    fn read(text: Option<&str>) -> Self {
        match text {
            Some("create") => Self::Create,
            Some("revoke") => Self::Revoke,
            Some("update") => Self::Update,
            Some("delete") => Self::Delete,
            _ => Self::Unknown,
        }
    }
}

/// Shows the name only: the state is a secret until it comes back, and a URI may be anything.
impl fmt::Debug for SecurityEventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(uri: &str, members: Value) -> SecurityEventKind {
        SecurityEventKind::read(uri, members.as_object().unwrap())
    }

    /// Shared Signals events by their URIs, and what each ends.
    #[test]
    fn each_event_is_read_by_its_uri() {
        use SecurityEventKind as Kind;

        for (base, name, kind, ends) in [
            (CAEP, "session-revoked", Kind::SessionRevoked, true),
            (CAEP, "token-claims-change", Kind::TokenClaimsChange, false),
            (
                CAEP,
                "assurance-level-change",
                Kind::AssuranceLevelChange,
                false,
            ),
            (
                CAEP,
                "device-compliance-change",
                Kind::DeviceComplianceChange,
                false,
            ),
            (CAEP, "risk-level-change", Kind::RiskLevelChange, false),
            (RISC, "account-disabled", Kind::AccountDisabled, true),
            (RISC, "account-enabled", Kind::AccountEnabled, false),
            (RISC, "account-purged", Kind::AccountPurged, true),
            (
                RISC,
                "account-credential-change-required",
                Kind::AccountCredentialChangeRequired,
                true,
            ),
            (
                RISC,
                "credential-compromise",
                Kind::CredentialCompromise,
                true,
            ),
            (RISC, "sessions-revoked", Kind::SessionsRevoked, true),
            (RISC, "identifier-changed", Kind::IdentifierChanged, false),
            (RISC, "identifier-recycled", Kind::IdentifierRecycled, false),
            (RISC, "recovery-activated", Kind::RecoveryActivated, false),
            (
                RISC,
                "recovery-information-changed",
                Kind::RecoveryInformationChanged,
                false,
            ),
            (OAUTH, "tokens-revoked", Kind::TokensRevoked, true),
            (OAUTH, "token-revoked", Kind::TokenRevoked, false),
            (
                SSF,
                "verification",
                Kind::Verification { state: None },
                false,
            ),
            (
                SSE,
                "verification",
                Kind::Verification { state: None },
                false,
            ),
            (
                RISC,
                "verification",
                Kind::Verification { state: None },
                false,
            ),
            ("", "consent-revoked", Kind::ConsentRevoked, true),
            ("", "account-deleted", Kind::AccountDeleted, true),
            ("", "email-enabled", Kind::EmailEnabled, false),
            ("", "email-disabled", Kind::EmailDisabled, false),
        ] {
            let found = read(&format!("{base}{name}"), json!({}));
            assert!(found == kind, "{base}{name}: {found:?}");
            assert_eq!(found.name(), name);
            assert_eq!(found.ends() == Ends::SessionOrPerson, ends, "{name}");
        }
        for uri in [
            "",
            "session-revoked",
            "https://evil.example/session-revoked",
        ] {
            let unknown = Kind::Unknown {
                uri: uri.to_owned(),
            };
            assert!(read(uri, json!({})) == unknown, "{uri}");
        }
    }

    #[test]
    fn a_created_credential_alone_ends_no_logins() {
        for (text, change) in [
            (json!("create"), ChangeType::Create),
            (json!("revoke"), ChangeType::Revoke),
            (json!("update"), ChangeType::Update),
            (json!("delete"), ChangeType::Delete),
            (json!("other"), ChangeType::Unknown),
            (json!(null), ChangeType::Unknown),
        ] {
            let members = json!({ "credential_type": "password", "change_type": text });
            let kind = read(&format!("{CAEP}credential-change"), members);
            let SecurityEventKind::CredentialChange(found) = kind else {
                panic!("{kind:?}");
            };
            assert_eq!(found.credential_type, "password");
            assert_eq!(found.change, change);
            assert_eq!(found.ends_logins(), change != ChangeType::Create);
        }
    }
}
