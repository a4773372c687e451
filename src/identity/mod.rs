//! The identities of users, logins and provider sessions, and which logins a logout ends.

mod login_id;
mod logout_scope;
mod profile;
mod provider_key;
mod provider_session;

pub use self::{
    login_id::{LoginId, LoginIdError},
    logout_scope::LogoutScope,
    profile::{Profile, Subject},
    provider_key::{ProviderKey, RevocationKey},
    provider_session::ProviderSession,
};
