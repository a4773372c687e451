//! The claims about a user (OpenID Connect Core 1.0, section 5.1).

use serde_json::{Map, Value};

use super::Settings;
use crate::Profile;

/// Claims about the token instead of the user.
const TOKEN_CLAIMS: [&str; 9] = [
    "aud", "azp", "nonce", "at_hash", "c_hash", "s_hash", "exp", "iat", "nbf",
];

/// The claims about a user, from the ID token and the user info.
#[derive(Default)]
pub(super) struct PersonClaims(Map<String, Value>);

impl PersonClaims {
    pub(super) fn new(mut claims: Map<String, Value>) -> Self {
        claims.retain(|name, value| !TOKEN_CLAIMS.contains(&name.as_str()) && !value.is_null());
        Self(claims)
    }

    /// A claim of text. A malformed one counts as absent, so that the login succeeds.
    fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str();
        text.filter(|text| !text.is_empty())
    }

    fn has_name(&self) -> bool {
        self.text("given_name").is_some() || self.text("family_name").is_some()
    }

    /// Whether a claim of the requested scopes is missing.
    pub(super) fn lacks_requested(&self, settings: &Settings) -> bool {
        let no_name = !self.has_name() && self.text("name").is_none();
        settings.requests("profile") && no_name
            || settings.requests("email") && self.text("email").is_none()
            || settings.requests("phone") && self.text("phone_number").is_none()
    }

    /// Adds the claims that only the user info has. The parts of a name are never mixed, nor an
    /// e-mail address or phone number and its verification.
    pub(super) fn merge(mut self, user_info: Self) -> Self {
        let has_name = self.has_name() || self.text("name").is_some();
        let has_email = self.text("email").is_some();
        let has_phone = self.text("phone_number").is_some();
        for (name, value) in user_info.0 {
            let is_present = match name.as_str() {
                "given_name" | "family_name" | "name" => has_name,
                "email" | "email_verified" => has_email,
                "phone_number" | "phone_number_verified" => has_phone,
                _ => false,
            };
            if !is_present {
                self.0.entry(name).or_insert(value);
            }
        }
        self
    }

    pub(super) fn into_profile(self, mut profile: Profile) -> Profile {
        let text = |name: &str| self.text(name).map(str::to_owned);
        profile.first_name = text("given_name");
        profile.last_name = text("family_name");
        if !self.has_name() {
            profile.first_name = text("name");
        }
        profile.email_verified = self.0.get("email_verified").map(is_true);
        // An unverified address may belong to another user.
        if profile.email_verified != Some(false) {
            profile.email = text("email");
        }
        if self.0.get("phone_number_verified").is_none_or(is_true) {
            profile.phone_number = text("phone_number");
        }
        profile.with_claims(self.0)
    }
}

/// Some providers write booleans as text or as a number.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::String(text) => text == "true",
        value => value.as_i64() == Some(1),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Subject;

    fn person(claims: Value) -> PersonClaims {
        PersonClaims::new(claims.as_object().unwrap().clone())
    }

    fn profile(person: PersonClaims) -> Profile {
        person.into_profile(Profile::new(Subject::new("https://id.example", "1")))
    }

    #[test]
    fn only_the_allowed_forms_of_verified_count() {
        for (value, verified) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!(1), Some(true)),
            (json!("TRUE"), Some(false)),
            (json!("yes"), Some(false)),
            (json!(2), Some(false)),
            (json!({}), Some(false)),
            (json!(""), Some(false)),
            (json!(false), Some(false)),
            (json!("False"), Some(false)),
            (json!(0), Some(false)),
            (json!([]), Some(false)),
            (json!(null), None),
        ] {
            let claims = json!({"email": "alex@example.com", "email_verified": value});
            let profile = profile(person(claims));
            assert_eq!(profile.email_verified, verified, "{value}");
            assert_eq!(profile.email.is_some(), verified != Some(false), "{value}");
            let claims = json!({"phone_number": "+1", "phone_number_verified": value});
            let phone_number = self::profile(person(claims)).phone_number;
            assert_eq!(phone_number.is_some(), verified != Some(false), "{value}");
        }
    }

    #[test]
    fn the_user_info_fills_in_what_is_missing_and_mixes_nothing() {
        let token = json!({
            "given_name": "Alex",
            "email": "alex@example.com",
            "phone_number": "+1",
            "nonce": "x",
        });
        let info = json!({
            "family_name": "Other",
            "email_verified": false,
            "phone_number_verified": false,
            "groups": ["staff"],
        });
        let profile = profile(person(token).merge(person(info)));
        assert_eq!(profile.name().as_deref(), Some("Alex"));
        assert_eq!(profile.email.as_deref(), Some("alex@example.com"));
        assert_eq!(profile.phone_number.as_deref(), Some("+1"));
        assert_eq!(profile.claims()["groups"], json!(["staff"]));
        assert!(!profile.claims().contains_key("nonce"));
    }
}
