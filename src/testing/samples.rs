//! Made-up subjects and sessions that no store knows yet, and ids that are easy to confuse.

use crate::{Profile, ProviderSession, Subject};

/// Texts that only a careless comparison takes for one another. 255 characters are the most that
/// OpenID Connect allows.
pub(super) fn odd_ids() -> Vec<String> {
    let longest = "x".repeat(254);
    let short = [
        "",
        " ",
        "0",
        "00",
        "alex",
        "Alex",
        "alex ",
        "e",
        "é",
        "e\u{301}",
        "жук 🐞",
        "1' or '1'='1",
        "\"; drop table users; --",
        "%",
        "_",
        "\\",
    ];
    let mut ids: Vec<_> = short.iter().map(ToString::to_string).collect();
    ids.extend([format!("{longest}x"), format!("{longest}y")]);
    ids
}

/// An issuer that no store knows, so any id there is new.
pub(super) fn random_issuer() -> String {
    format!("https://kit-{:032x}.test", rand::random::<u128>())
}

pub(super) fn random_subject() -> Subject {
    Subject::new(random_issuer(), random_id())
}

pub(super) fn random_session() -> ProviderSession {
    ProviderSession::new(random_issuer(), random_id())
}

fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// All that a provider may say, as some stores ask for more than the subject. No address or number
/// is used twice.
pub(super) fn profile(subject: &Subject) -> Profile {
    let mut profile = Profile::new(subject.clone());
    profile.first_name = Some("Kit".to_owned());
    profile.last_name = Some("Tester".to_owned());
    profile.email = Some(format!("{}@kit.test", random_id()));
    profile.phone_number = Some(format!("+1{:012}", rand::random::<u32>()));
    profile
}

/// An id as a message shows it: a long one is cut.
pub(super) fn shown(id: &str) -> String {
    let start: String = id.chars().take(40).collect();
    match id.chars().count() {
        0..=40 => format!("{id:?}"),
        length => format!("{start:?}… ({length} characters)"),
    }
}
