//! The metadata of a provider (OpenID Connect Discovery 1.0, section 3).

use reqwest::Client;
use serde_json::{Map, Value};
use url::Url;

use super::{ClientAuthentication, SigningAlgorithm};
use crate::{
    address,
    jose::{self, RemoteError, json},
};

pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) user_info_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// The method that is preferred here; `None` if none is supported.
    pub(super) authentication: Option<ClientAuthentication>,
    /// The algorithms of ID tokens that are supported here; `None` if the provider lists none.
    pub(super) algorithms: Option<Vec<SigningAlgorithm>>,
    /// The scopes that the provider lists.
    pub(super) scopes: Option<Vec<String>>,
    /// Whether it says that it sends logout notices (Back-Channel Logout 1.0, section 2.1).
    pub(super) sends_notices: Option<bool>,
    /// Whether its callbacks have an `iss` (RFC 9207, section 3).
    pub(super) callbacks_name_issuer: bool,
}

impl jose::Metadata for Metadata {
    type Dialect = ();

    async fn fetch(issuer: String, (): (), client: Client) -> Result<Self, RemoteError> {
        let document = jose::fetch(client.get(address(&issuer)), "metadata").await?;
        Self::parse(&issuer, &document)
    }

    fn jwks_uri(&self) -> &Url {
        &self.jwks_uri
    }
}

/// The URL of the metadata of an issuer (section 4), which `address::base_url` accepts.
fn address(issuer: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    format!("{issuer}/.well-known/openid-configuration")
}

impl Metadata {
    /// Reads the document, whose issuer must be this one exactly (section 4.3).
    pub(super) fn parse(issuer: &str, document: &[u8]) -> Result<Self, RemoteError> {
        let document =
            json::object(document).ok_or(RemoteError::Unreadable { what: "metadata" })?;
        match document.get("issuer") {
            Some(Value::String(named)) if named == issuer => {}
            Some(Value::String(_)) => return Err(RemoteError::OtherIssuer),
            _ => return Err(RemoteError::Metadata("issuer")),
        }
        let issuer = address::base_url(issuer).map_err(|reason| RemoteError::MetadataAddress {
            name: "issuer",
            reason,
        })?;
        let endpoint = |name| jose::endpoint(&document, &issuer, name);
        let required = |name| endpoint(name)?.ok_or(RemoteError::Metadata(name));
        // A login needs neither of the others.
        let optional = |name| {
            endpoint(name).unwrap_or_else(|error| {
                tracing::warn!(%error, "logins go on without this endpoint of the provider");
                None
            })
        };
        let algorithms = texts(&document, "id_token_signing_alg_values_supported");
        Ok(Self {
            authorization_endpoint: required("authorization_endpoint")?,
            token_endpoint: required("token_endpoint")?,
            jwks_uri: required("jwks_uri")?,
            user_info_endpoint: optional("userinfo_endpoint"),
            end_session_endpoint: optional("end_session_endpoint"),
            authentication: authentication(&document),
            algorithms: algorithms.map(|names| {
                let known = names
                    .iter()
                    .filter_map(|name| SigningAlgorithm::from_name(name));
                known.collect()
            }),
            scopes: texts(&document, "scopes_supported"),
            sends_notices: document
                .get("backchannel_logout_supported")
                .and_then(Value::as_bool),
            callbacks_name_issuer: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }
}

/// The texts of a list; `None` if there is no list, or an empty one.
fn texts(document: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = document.get(name)?.as_array()?.iter();
    let texts: Vec<_> = list.filter_map(Value::as_str).map(str::to_owned).collect();
    (!texts.is_empty()).then_some(texts)
}

/// Basic, the default of the specification, unless only post is offered.
fn authentication(document: &Map<String, Value>) -> Option<ClientAuthentication> {
    let offered = texts(document, "token_endpoint_auth_methods_supported");
    let offers = |method: &str| {
        let mut offered = offered.iter().flatten();
        offered.any(|offered| offered == method)
    };
    if offered.is_none() || offers("client_secret_basic") {
        Some(ClientAuthentication::Basic)
    } else {
        offers("client_secret_post").then_some(ClientAuthentication::Post)
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

    /// Which endpoint is refused or left out if one of them is `odd` and the others are below the issuer.
    fn refused(issuer: &str, name: &'static str, odd: &str) -> Option<&'static str> {
        let mut document = json!({ "issuer": issuer });
        for name in ENDPOINTS {
            document[name] = json!(format!("{issuer}/{name}"));
        }
        document[name] = json!(odd);
        match Metadata::parse(issuer, document.to_string().as_bytes()) {
            Ok(metadata) if metadata.user_info_endpoint.is_none() => Some("userinfo_endpoint"),
            Ok(metadata) if metadata.end_session_endpoint.is_none() => Some("end_session_endpoint"),
            Ok(_) => None,
            Err(RemoteError::MetadataEndpoint(name)) => Some(name),
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
