//! The application at GitHub.

use axum_clef::{
    BoxError, Profile,
    oauth2::{ClientAuthentication, OAuth2, OAuth2Endpoints, OAuth2Error, UserInfo},
};

/// The endpoints of github.com.
pub const GITHUB: OAuth2Endpoints<'static> = OAuth2Endpoints {
    issuer: "https://github.com",
    authorization: "https://github.com/login/oauth/authorize",
    token: "https://github.com/login/oauth/access_token",
    user_info: &[
        "https://api.github.com/user",
        "https://api.github.com/user/emails",
    ],
};

/// The application with this id and secret, from its settings at GitHub.
///
/// # Errors
///
/// If an endpoint is not valid for logins.
pub fn provider(
    endpoints: OAuth2Endpoints<'_>,
    client_id: &str,
    client_secret: &str,
) -> Result<OAuth2, OAuth2Error> {
    // The `iss` of its callbacks: `https://github.com/login/oauth`. The issuer of the users is in
    // stored subjects, and stays.
    let callback_issuer = format!("{}/login/oauth", endpoints.issuer);
    let provider = OAuth2::new(endpoints, client_id, client_secret, profile)?;
    Ok(provider
        .callback_issuer(callback_issuer)?
        .display_name("GitHub")
        // As GitHub's documentation has it.
        .client_authentication(ClientAuthentication::Post)
        // For the second document. The first one needs no scope.
        .scopes(["user:email"]))
}

/// The user, from the two documents.
fn profile(info: &UserInfo<'_>) -> Result<Profile, BoxError> {
    // The number never changes. A `login` can be renamed, and then be taken by another user.
    let mut profile = info.profile("id")?;
    profile.first_name = info.text("name").or(info.text("login"));
    let emails = info.documents().get(1).and_then(|emails| emails.as_array());
    let mut emails = emails.ok_or("no list of e-mail addresses")?.iter();
    let primary = emails.find(|email| email["primary"] == true && email["verified"] == true);
    if let Some(address) = primary.and_then(|email| email["email"].as_str()) {
        profile.email = Some(address.to_owned());
        profile.email_verified = Some(true);
    }
    Ok(profile)
}
