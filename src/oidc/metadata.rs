//! The metadata of a provider (OpenID Connect Discovery 1.0, section 3).

use serde_json::{Map, Value};
use url::Url;

use super::{ClientAuthentication, OidcError, json};
use crate::address;

pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) user_info_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// The supported method that is preferred here.
    pub(super) authentication: ClientAuthentication,
    /// Whether its callbacks have an `iss` (RFC 9207, section 3).
    pub(super) callbacks_name_issuer: bool,
}

/// The URL of the metadata of an issuer (section 4), which `address::base_url` accepts.
pub(super) fn address(issuer: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    format!("{issuer}/.well-known/openid-configuration")
}

impl Metadata {
    /// Reads the document, whose issuer must be this one exactly (section 4.3).
    pub(super) fn parse(issuer: &str, document: &[u8]) -> Result<Self, OidcError> {
        let document = json::object(document).ok_or(OidcError::Unreadable { what: "metadata" })?;
        match document.get("issuer") {
            Some(Value::String(named)) if named == issuer => {}
            Some(Value::String(_)) => return Err(OidcError::OtherIssuer),
            _ => return Err(OidcError::Metadata("issuer")),
        }
        let issuer = address::base_url(issuer)?;
        let endpoint = |name| endpoint(&document, &issuer, name);
        let required = |name| endpoint(name)?.ok_or(OidcError::Metadata(name));
        Ok(Self {
            authorization_endpoint: required("authorization_endpoint")?,
            token_endpoint: required("token_endpoint")?,
            jwks_uri: required("jwks_uri")?,
            user_info_endpoint: endpoint("userinfo_endpoint")?,
            end_session_endpoint: endpoint("end_session_endpoint")?,
            authentication: authentication(&document),
            callbacks_name_issuer: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }
}

fn endpoint(
    document: &Map<String, Value>,
    issuer: &Url,
    name: &'static str,
) -> Result<Option<Url>, OidcError> {
    let text = match document.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(OidcError::Metadata(name)),
    };
    let url =
        address::endpoint(text).map_err(|source| OidcError::MetadataAddress { name, source })?;
    if is_less_safe(&url, issuer) {
        return Err(OidcError::MetadataEndpoint(name));
    }
    Ok(Some(url))
}

/// Whether an endpoint is less safe than its issuer: unencrypted, or on loopback. Remote metadata
/// must not make this machine call its own services.
fn is_less_safe(endpoint: &Url, issuer: &Url) -> bool {
    let unencrypted = endpoint.scheme() != "https" && issuer.scheme() == "https";
    let local = address::leads_to_loopback(endpoint) && !address::leads_to_loopback(issuer);
    unencrypted || local
}

/// Basic, the default of the specification, unless only post is offered.
fn authentication(document: &Map<String, Value>) -> ClientAuthentication {
    let offered = document.get("token_endpoint_auth_methods_supported");
    let offers = |method: &str| {
        let methods = offered.and_then(Value::as_array);
        methods.is_some_and(|methods| methods.iter().any(|offered| offered == method))
    };
    if offers("client_secret_post") && !offers("client_secret_basic") {
        ClientAuthentication::Post
    } else {
        ClientAuthentication::Basic
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ENDPOINTS: [&str; 5] = [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "end_session_endpoint",
    ];

    /// Which endpoint is refused if one of them is `odd` and the others are below the issuer.
    fn refused(issuer: &str, name: &'static str, odd: &str) -> Option<&'static str> {
        let mut document = json!({ "issuer": issuer });
        for name in ENDPOINTS {
            document[name] = json!(format!("{issuer}/{name}"));
        }
        document[name] = json!(odd);
        match Metadata::parse(issuer, document.to_string().as_bytes()) {
            Ok(_) => None,
            Err(OidcError::MetadataEndpoint(name)) => Some(name),
            Err(error) => panic!("{issuer}, {odd}: {error}"),
        }
    }

    #[test]
    fn an_https_issuer_names_no_endpoint_on_loopback_or_without_encryption() {
        let issuer = "https://id.example.com";
        for name in ENDPOINTS {
            for odd in [
                "http://127.0.0.1:6379/",
                "http://x.localhost/",
                "https://127.0.0.1/",
                "https://127.9.9.9:8443/",
                "https://2130706433/",
                "https://0.0.0.0/",
                "https://[::1]/",
                "https://[::]/",
                "https://[::ffff:127.0.0.1]/",
                "https://[::ffff:0.0.0.0]/",
                "https://localhost/",
                "https://LocalHost./",
                "https://x.localhost/",
            ] {
                assert_eq!(refused(issuer, name, odd), Some(name), "{odd}");
            }
            for good in ["https://login.example.com/", "https://10.0.0.1:8443/"] {
                assert_eq!(refused(issuer, name, good), None, "{good}");
            }
        }
    }

    #[test]
    fn an_issuer_on_loopback_may_name_its_like() {
        let name = "token_endpoint";
        for (issuer, endpoint, expected) in [
            ("https://localhost:8443", "https://127.0.0.1:8443/", None),
            ("https://localhost:8443", "http://127.0.0.1/", Some(name)),
            ("http://127.0.0.1:3100", "http://id.localhost/", None),
            ("http://127.0.0.1:3100", "https://id.example.com/", None),
        ] {
            assert_eq!(refused(issuer, name, endpoint), expected, "{endpoint}");
        }
    }
}
