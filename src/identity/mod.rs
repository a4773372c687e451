//! The identities of users, logins and provider sessions, and which logins a logout ends.

mod login_id;
mod logout_cause;
mod logout_scope;
mod profile;
mod provider_tokens;
mod revocation_key;
mod subject_identifier;

pub use self::{
    login_id::{LoginId, LoginIdError},
    logout_cause::{EventName, LogoutCause},
    logout_scope::LogoutScope,
    profile::{Profile, Subject},
    provider_tokens::ProviderTokens,
    revocation_key::{ProviderKey, ProviderSession, RevocationKey},
    subject_identifier::SubjectIdentifier,
};
