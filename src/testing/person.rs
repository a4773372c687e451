//! Made-up people whom no store has met, and sessions of theirs.

use crate::{Profile, ProviderSession, Subject};

/// An issuer of which no store has heard, so that any id there is new.
pub(super) fn fresh_issuer() -> String {
    format!("https://kit-{:032x}.test", rand::random::<u128>())
}

/// Somebody whom no store has met.
pub(super) fn fresh_person() -> Subject {
    Subject::new(fresh_issuer(), "12345")
}

/// A session at a provider, of which no store has heard.
pub(super) fn fresh_session() -> ProviderSession {
    let id = format!("{:032x}", rand::random::<u128>());
    ProviderSession::new(fresh_issuer(), id)
}

/// All that a provider may tell, as some stores ask for more than the subject. Nobody shares
/// an address or a number with anybody.
pub(super) fn profile(person: &Subject) -> Profile {
    let mut profile = Profile::new(person.clone());
    profile.first_name = Some("Kit".to_owned());
    profile.last_name = Some("Tester".to_owned());
    profile.email = Some(format!("{:032x}@kit.test", rand::random::<u128>()));
    profile.phone_number = Some(format!("+1{:012}", rand::random::<u32>()));
    profile
}
