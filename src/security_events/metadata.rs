//! The metadata of a sender (SSF 1.0, section 7).

use http::StatusCode;
use reqwest::Client;
use serde_json::Value;
use url::Url;

use super::dialect::Dialect;
use crate::{
    address,
    jose::{self, RemoteError, json},
};

/// The names of the document, the latest first.
const NAMES: [&str; 3] = [
    "ssf-configuration",
    "sse-configuration",
    "risc-configuration",
];

const CRITICAL: &str = "critical_subject_members";

/// What a sender says about itself.
pub(super) struct TransmitterMetadata {
    pub(super) jwks_uri: Url,
    /// The members of complex subjects that a receiver must process.
    pub(super) critical_subject_members: Vec<String>,
    pub(super) configuration_endpoint: Option<Url>,
    pub(super) status_endpoint: Option<Url>,
    pub(super) verification_endpoint: Option<Url>,
    pub(super) add_subject_endpoint: Option<Url>,
    pub(super) remove_subject_endpoint: Option<Url>,
}

/// Where the document may be: between host and path of the issuer (section 7.2.1), or behind the
/// path, where some senders have it.
fn addresses(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let between = NAMES.map(|name| format!("/.well-known/{name}{path}"));
    let behind = (!path.is_empty()).then(|| format!("{path}/.well-known/{}", NAMES[0]));
    between
        .into_iter()
        .chain(behind)
        .map(|path| {
            let mut address = issuer.clone();
            address.set_path(&path);
            address
        })
        .collect()
}

impl jose::Metadata for TransmitterMetadata {
    type Dialect = Dialect;

    async fn fetch(issuer: String, dialect: Dialect, client: Client) -> Result<Self, RemoteError> {
        let url = base(&issuer)?;
        let mut missing = None;
        for address in addresses(&url) {
            match jose::fetch(client.get(address), "metadata").await {
                Ok(document) => return Self::parse(&issuer, &url, dialect, &document),
                Err(error @ RemoteError::Status { status, .. })
                    if status == StatusCode::NOT_FOUND =>
                {
                    missing.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(missing.unwrap_or(RemoteError::Metadata("issuer")))
    }

    fn jwks_uri(&self) -> &Url {
        &self.jwks_uri
    }
}

/// The URL of an issuer, which the constructors have checked.
fn base(issuer: &str) -> Result<Url, RemoteError> {
    address::base_url(issuer).map_err(|reason| RemoteError::MetadataAddress {
        name: "issuer",
        reason,
    })
}

impl TransmitterMetadata {
    /// Reads the document, whose issuer must be this one (section 7.2.4).
    fn parse(
        issuer: &str,
        url: &Url,
        dialect: Dialect,
        document: &[u8],
    ) -> Result<Self, RemoteError> {
        let unreadable = RemoteError::Unreadable { what: "metadata" };
        let document = json::object(document).ok_or(unreadable)?;
        match document.get("issuer") {
            Some(Value::String(named)) if dialect.is_same_issuer(named, issuer) => {}
            Some(Value::String(_)) => return Err(RemoteError::OtherIssuer),
            _ => return Err(RemoteError::Metadata("issuer")),
        }
        let endpoint = |name| jose::endpoint(&document, url, name);
        // Events arrive without them.
        let optional = |name| {
            endpoint(name).unwrap_or_else(|error| {
                tracing::warn!(%error, "the stream is used without this endpoint of the sender");
                None
            })
        };
        let critical = document.get(CRITICAL).cloned().unwrap_or_default();
        let critical = serde_json::from_value::<Option<Vec<String>>>(critical);
        let critical = critical.map_err(|_| RemoteError::Metadata(CRITICAL))?;
        Ok(Self {
            jwks_uri: endpoint("jwks_uri")?.ok_or(RemoteError::Metadata("jwks_uri"))?,
            critical_subject_members: critical.unwrap_or_default(),
            configuration_endpoint: optional("configuration_endpoint"),
            status_endpoint: optional("status_endpoint"),
            verification_endpoint: optional("verification_endpoint"),
            add_subject_endpoint: optional("add_subject_endpoint"),
            remove_subject_endpoint: optional("remove_subject_endpoint"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_between_host_and_path_or_behind_it() {
        let all = |issuer: &str| {
            let all = addresses(&issuer.parse().unwrap());
            let all: Vec<_> = all.iter().map(|url| url.path().to_owned()).collect();
            all
        };
        let plain = [
            "/.well-known/ssf-configuration",
            "/.well-known/sse-configuration",
            "/.well-known/risc-configuration",
        ];
        assert_eq!(all("https://id.test"), plain);
        assert_eq!(all("https://id.test/"), plain);
        let deep = all("https://id.test/realms/staff/");
        assert_eq!(deep[0], "/.well-known/ssf-configuration/realms/staff");
        assert_eq!(deep[3], "/realms/staff/.well-known/ssf-configuration");
        assert_eq!(deep.len(), 4);
    }
}
