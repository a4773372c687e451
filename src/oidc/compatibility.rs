//! Whether a provider, its settings and the site fit together.

use super::{Oidc, OidcError, Settings, metadata::Metadata};
use crate::{jose::KeySet, provider::ProviderSite};

/// Checks the settings that no login can do without.
///
/// # Errors
///
/// [`OidcError::OtherAlgorithm`] or [`OidcError::OtherAuthentication`], which name the setting.
pub(super) fn check(
    metadata: &Metadata,
    keys: Option<&KeySet>,
    settings: &Settings,
) -> Result<(), OidcError> {
    let set = settings.algorithm;
    let by_keys = || keys.map(KeySet::algorithms).filter(|keys| !keys.is_empty());
    if let Some(offered) = metadata.algorithms.clone().or_else(by_keys)
        && !offered.contains(&set)
    {
        return Err(OidcError::OtherAlgorithm { set, offered });
    }
    if settings.authentication.is_none() && metadata.authentication.is_none() {
        return Err(OidcError::OtherAuthentication);
    }
    Ok(())
}

/// What may not work, and which setting mends it.
pub(super) fn advice(oidc: &Oidc, metadata: &Metadata, site: &ProviderSite<'_>) -> Vec<String> {
    let settings = &oidc.settings;
    let mut advice = Vec::new();
    if site.callback_url.scheme() == "http" && oidc.remote.issuer().starts_with("https:") {
        advice.push(
            "the provider may refuse the plain http callback, and its logout notices may not reach \
             this machine; set an https address as the site of `ClefLayer::builder`"
                .to_owned(),
        );
    }
    if metadata.sends_notices != Some(true) {
        advice.push(
            "the provider's metadata does not say that it sends logout notices; if it sends none, a \
             logout there ends no login here: set `ClefLayerBuilder::lifetime`"
                .to_owned(),
        );
    }
    if settings.logs_out_all_sessions && !site.notes_sessions {
        advice.push(
            "a logout token without `sub` ends the logins of one session only, also with \
             `Oidc::log_out_whole_person`: the user store does not note sessions; implement \
             `IdentityStore::notes_sessions`, or check that the provider's logout tokens have a `sub`"
                .to_owned(),
        );
    }
    if let Some(supported) = &metadata.scopes {
        for scope in &settings.scopes {
            if !supported.contains(scope) {
                advice.push(format!(
                    "the provider's metadata does not list the scope {scope:?}; if it refuses \
                     logins, set `Oidc::scopes`"
                ));
            }
        }
    }
    advice
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plain_http_callback_is_for_a_provider_on_this_machine() {
        for (issuer, callback, is_warned) in [
            (
                "https://id.example.com",
                "http://127.0.0.1:3000/clef/callback",
                true,
            ),
            (
                "https://id.example.com",
                "https://example.com/clef/callback",
                false,
            ),
            (
                "http://127.0.0.1:3100",
                "http://127.0.0.1:3000/clef/callback",
                false,
            ),
            (
                "http://127.0.0.1:3100",
                "https://example.com/clef/callback",
                false,
            ),
        ] {
            let document = json!({
                "issuer": issuer,
                "authorization_endpoint": issuer,
                "token_endpoint": issuer,
                "jwks_uri": issuer,
                "backchannel_logout_supported": true,
            });
            let metadata = Metadata::parse(issuer, document.to_string().as_bytes()).unwrap();
            let oidc = Oidc::new(issuer, "site", "secret").unwrap();
            let url = callback.parse().unwrap();
            let advice = advice(&oidc, &metadata, &ProviderSite::new(&url, &url));
            let words = "set an https address as the site";
            assert_eq!(advice.iter().any(|text| text.contains(words)), is_warned);
            assert_eq!(advice.len(), usize::from(is_warned), "{advice:?}");
        }
    }
}
