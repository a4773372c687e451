//! Where a sign-out goes on (OpenID Connect RP-Initiated Logout 1.0, section 2).

use secrecy::ExposeSecret as _;
use url::Url;

use super::Oidc;
use crate::provider::SignOutRequest;

pub(super) fn url(oidc: &Oidc, endpoint: &Url, sign_out: &SignOutRequest<'_>) -> Url {
    let mut url = endpoint.clone();
    let mut query = url.query_pairs_mut();
    if let Some(hint) = sign_out.hint {
        query.append_pair("id_token_hint", hint.expose_secret());
    }
    query
        .append_pair("client_id", &oidc.client_id)
        .append_pair("post_logout_redirect_uri", sign_out.return_url.as_str())
        .append_pair("state", sign_out.state.expose());
    drop(query);
    url
}
