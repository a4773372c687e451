//! What a provider says of itself (OpenID Connect Discovery 1.0, section 3).

use serde_json::{Map, Value};
use url::Url;

use super::{ClientAuthentication, OidcError, json};
use crate::address;

/// The addresses of a provider, and what it can do.
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) user_info_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// What it takes of what is done here.
    pub(super) authentication: ClientAuthentication,
    /// Whether its callbacks say whose they are (RFC 9207, section 3).
    pub(super) callbacks_name_issuer: bool,
}

/// Where the metadata of an issuer lies (section 4). The issuer is one of `address::base_url`.
pub(super) fn address(issuer: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    format!("{issuer}/.well-known/openid-configuration")
}

impl Metadata {
    /// Reads the document, which must be that of this issuer to the letter (section 4.3).
    pub(super) fn parse(issuer: &str, document: &[u8]) -> Result<Self, OidcError> {
        let document = json::object(document).ok_or(OidcError::Unreadable { what: "metadata" })?;
        match document.get("issuer") {
            Some(Value::String(named)) if named == issuer => {}
            Some(Value::String(_)) => return Err(OidcError::OtherIssuer),
            _ => return Err(OidcError::Metadata("issuer")),
        }
        Ok(Self {
            authorization_endpoint: required(&document, "authorization_endpoint")?,
            token_endpoint: required(&document, "token_endpoint")?,
            jwks_uri: required(&document, "jwks_uri")?,
            user_info_endpoint: endpoint(&document, "userinfo_endpoint")?,
            end_session_endpoint: endpoint(&document, "end_session_endpoint")?,
            authentication: authentication(&document),
            callbacks_name_issuer: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }
}

fn required(document: &Map<String, Value>, name: &'static str) -> Result<Url, OidcError> {
    endpoint(document, name)?.ok_or(OidcError::Metadata(name))
}

fn endpoint(document: &Map<String, Value>, name: &'static str) -> Result<Option<Url>, OidcError> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => match address::endpoint(text) {
            Ok(url) => Ok(Some(url)),
            Err(source) => Err(OidcError::MetadataAddress { name, source }),
        },
        Some(_) => Err(OidcError::Metadata(name)),
    }
}

/// Basic, which is the default of the specification, unless only post is offered.
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
