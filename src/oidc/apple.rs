//! Sign in with Apple: its settings, and the name in its form.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{AppleKey, Oidc, client_secret::ClientSecret};
use crate::Profile;

const ISSUER: &str = "https://appleid.apple.com";

impl Oidc {
    /// Creates an application at Apple: Sign in with Apple. `client_id` is the identifier of the
    /// Services ID.
    ///
    /// It requests the scopes `name` and `email`, for which Apple sends the callback [as a
    /// form](Self::form_post). The name comes once, at the first login of a user, and is not signed:
    /// store [`first_name` and `last_name`](Profile::first_name) then, and take them for what the user
    /// wrote. The address may be one of Apple's relay; `is_private_email` is among the
    /// [claims](Profile::claims).
    ///
    /// ```
    /// use axum_clef::oidc::{AppleKey, Oidc, OidcError};
    ///
    /// fn apple(private_key: String) -> Result<Oidc, OidcError> {
    ///     let key = AppleKey::new("your team id", "your key id", private_key)?;
    ///     Ok(Oidc::apple("com.example.site", key))
    /// }
    /// # assert!(apple(String::new()).is_err());
    /// ```
    pub fn apple(client_id: impl Into<String>, key: AppleKey) -> Self {
        Self::at(
            ISSUER.to_owned(),
            client_id.into(),
            ClientSecret::Apple(key),
        )
        .display_name("Apple")
        .scopes(["name", "email"])
        .form_post()
    }

    /// Makes the client secrets with a key, as Apple asks, instead of sending the one that was given
    /// to [`new`](Self::new). The name in a form counts only with it.
    #[must_use]
    pub fn apple_key(mut self, key: AppleKey) -> Self {
        self.client_secret = ClientSecret::Apple(key);
        self
    }
}

/// The field `user` of Apple's form. It has an address too, which the ID token has signed.
#[derive(Deserialize)]
struct FormUser {
    name: FormName,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FormName {
    first_name: Option<String>,
    last_name: Option<String>,
}

/// Adds the name in a form to a profile without one. A malformed one counts as absent.
pub(super) fn add_name(profile: &mut Profile, user: &SecretString) {
    let Ok(FormUser { name }) = serde_json::from_str(user.expose_secret()) else {
        return;
    };
    if profile.name().is_none() {
        let text = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        profile.first_name = text(name.first_name);
        profile.last_name = text(name.last_name);
    }
}
