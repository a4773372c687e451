//! Signing out at the provider (RP-Initiated Logout 1.0).

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::Oidc;
use crate::provider::SignOutRequest;

/// The longest URL that a browser is sent to, in bytes. Servers and proxies refuse longer ones.
const LONGEST_URL: usize = 4_096;

/// The URL of the end session endpoint (RP-Initiated Logout, section 2). A hint that makes it too
/// long is left out.
pub(super) fn end_session_url(oidc: &Oidc, endpoint: &Url, sign_out: &SignOutRequest<'_>) -> Url {
    let url = |hint: Option<&SecretString>| {
        let mut url = endpoint.clone();
        let mut query = url.query_pairs_mut();
        if let Some(hint) = hint {
            query.append_pair("id_token_hint", hint.expose_secret());
        }
        query
            .append_pair("client_id", &oidc.client_id)
            .append_pair("post_logout_redirect_uri", sign_out.return_url.as_str())
            .append_pair("state", sign_out.state.expose());
        drop(query);
        url
    };
    let with_hint = url(sign_out.hint);
    if with_hint.as_str().len() < LONGEST_URL {
        with_hint
    } else {
        url(None)
    }
}
