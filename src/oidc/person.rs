//! What a provider tells about a person (OpenID Connect Core 1.0, section 5.1).

use serde_json::Value;

use super::Settings;
use crate::Profile;

/// Name, e-mail address and phone number, of what there is.
#[derive(Default)]
pub(super) struct Person {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Email,
    phone_number: Option<String>,
}

#[derive(Default)]
enum Email {
    #[default]
    Untold,
    /// The provider says that it may be somebody else's.
    NotVerified,
    Told(String),
}

impl Person {
    /// Reads the standard claims. What has a wrong form is as good as not there: no reason to
    /// turn somebody away.
    pub(super) fn read<'a>(claim: impl Fn(&str) -> &'a Value) -> Self {
        let text = |name: &str| {
            let text = claim(name).as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        let (mut first_name, last_name) = (text("given_name"), text("family_name"));
        if first_name.is_none() && last_name.is_none() {
            first_name = text("name");
        }
        // Some write it as text.
        let verified = claim("email_verified");
        let not_verified = *verified == Value::Bool(false) || *verified == "false";
        let email = match text("email") {
            None => Email::Untold,
            Some(_) if not_verified => Email::NotVerified,
            Some(email) => Email::Told(email),
        };
        Self {
            first_name,
            last_name,
            email,
            phone_number: text("phone_number"),
        }
    }

    /// Whether something was asked for that is not told here.
    pub(super) fn lacks_any(&self, settings: &Settings) -> bool {
        let no_name = self.first_name.is_none() && self.last_name.is_none();
        let no_email = matches!(self.email, Email::Untold);
        settings.asks_for("profile") && no_name
            || settings.asks_for("email") && no_email
            || settings.asks_for("phone") && self.phone_number.is_none()
    }

    /// What is told here, or else there.
    pub(super) fn or(self, other: Self) -> Self {
        let no_name = self.first_name.is_none() && self.last_name.is_none();
        let (first_name, last_name) = if no_name {
            (other.first_name, other.last_name)
        } else {
            (self.first_name, self.last_name)
        };
        Self {
            first_name,
            last_name,
            email: match self.email {
                Email::Untold => other.email,
                told => told,
            },
            phone_number: self.phone_number.or(other.phone_number),
        }
    }

    pub(super) fn fill(self, profile: &mut Profile) {
        profile.first_name = self.first_name;
        profile.last_name = self.last_name;
        profile.email = match self.email {
            Email::Told(email) => Some(email),
            Email::Untold | Email::NotVerified => None,
        };
        profile.phone_number = self.phone_number;
    }
}
