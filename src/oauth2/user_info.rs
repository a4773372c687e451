//! What the provider's API says about the user.

use std::fmt;

use http::{StatusCode, header};
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::OAuth2Error;
use crate::{BoxError, Profile, Subject, calls};

/// The largest response, in bytes.
const LARGEST: usize = 256 * 1024;
/// The longest id of a user, in characters.
const LONGEST_ID: usize = 255;

/// The user information of a login: what the provider's API says about the user whose access token it
/// is.
///
/// The function of [`OAuth2::new`](super::OAuth2::new) receives it, and returns the user's
/// [`Profile`].
///
/// ```
/// use axum_clef::{BoxError, Profile, oauth2::UserInfo};
///
/// fn profile(info: &UserInfo<'_>) -> Result<Profile, BoxError> {
///     // The `id` never changes. A `login` can be renamed, and then belongs to another user.
///     let mut profile = info.profile("id")?;
///     profile.first_name = info.text("name").or(info.text("login"));
///     Ok(profile)
/// }
/// # let _ = profile;
/// ```
pub struct UserInfo<'a> {
    issuer: &'a str,
    documents: Vec<Value>,
}

impl UserInfo<'_> {
    /// The documents, one for each URL of user information, in their order.
    ///
    /// They are untrusted text of the provider.
    pub fn documents(&self) -> &[Value] {
        &self.documents
    }

    /// A text of the first document; `None` if it is absent, empty or no text.
    pub fn text(&self, member: &str) -> Option<String> {
        let text = self.documents.first()?.get(member)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The profile of the user whose id is this member of the first document. The members of that
    /// document are its [claims](Profile::claims), and all other fields are empty.
    ///
    /// Name the member that never changes, such as a number, and no name or e-mail address: those can
    /// be given to another user, who then gets the account.
    ///
    /// # Errors
    ///
    /// If the member is neither a whole number nor text of 1 to 255 characters. Return the error.
    pub fn profile(&self, member: &str) -> Result<Profile, BoxError> {
        let document = self.documents.first().and_then(Value::as_object);
        let id = match document.and_then(|document| document.get(member)) {
            Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            _ => return Err(format!("the member {member:?} is no id").into()),
        };
        if !is_id(&id) {
            return Err(format!("the member {member:?} is no id").into());
        }
        let claims: Map<String, Value> = document.cloned().unwrap_or_default();
        Ok(Profile::new(Subject::new(self.issuer, id)).with_claims(claims))
    }
}

/// Whether this can be the id of a user.
pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= LONGEST_ID
}

/// Fetches the documents, one after the other.
pub(super) async fn fetch<'a>(
    client: &Client,
    issuer: &'a str,
    urls: &[Url],
    access_token: &SecretString,
) -> Result<UserInfo<'a>, OAuth2Error> {
    let what = "user information";
    let mut documents = Vec::new();
    for url in urls {
        let request = client
            .get(url.clone())
            .header(header::ACCEPT, "application/json")
            .bearer_auth(access_token.expose_secret());
        let response = calls::send(request).await?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(OAuth2Error::Status { what, status });
        }
        let body = calls::read(response, LARGEST).await?;
        let document = serde_json::from_slice(&body);
        documents.push(document.map_err(|_| OAuth2Error::Unreadable { what })?);
    }
    Ok(UserInfo { issuer, documents })
}

/// Shows how many documents there are: logs must not contain personal data.
impl fmt::Debug for UserInfo<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UserInfo")
            .field("issuer", &self.issuer)
            .field("documents", &self.documents.len())
            .finish_non_exhaustive()
    }
}
