//! The identities of users, logins and provider sessions, and which logins a logout ends.

mod login_id;
mod profile;
mod provider_tokens;
mod revocation_key;

pub use self::{
    login_id::{LoginId, LoginIdError},
    profile::{Profile, Subject},
    provider_tokens::ProviderTokens,
    revocation_key::{LogoutScope, ProviderKey, ProviderSession, RevocationKey},
};
