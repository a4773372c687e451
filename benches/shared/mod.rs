//! What the benches have in common: the pages, who logs in, and how.

pub mod clef;
pub mod login;
mod site;

use axum_clef::{Profile, Subject, stores::Account};
use clef_dev::PEOPLE;

pub use self::site::{PUBLIC, Route, Site};

/// The page that is the same for all.
pub async fn public() -> &'static str {
    PUBLIC
}

/// The page of the user.
pub fn answer_to(account: &Account) -> String {
    account.profile().subject.id().to_owned()
}

/// The person who logs in at sites without Clef, by what Clef says of them.
pub fn alex() -> Profile {
    Profile::new(Subject::new("https://clef.test", PEOPLE[0].id()))
}
