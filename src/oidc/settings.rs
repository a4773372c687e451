//! The settings of an application at its provider.

use std::fmt;

use jsonwebtoken::Algorithm;

use crate::token_request::ClientAuthentication;

/// The algorithm of ID tokens and logout tokens: the registered `id_token_signed_response_alg`.
///
/// Neither `none` nor a MAC is supported, so neither the public key nor the client secret can forge
/// a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// RSA, PKCS #1 v1.5, SHA-256, which every provider supports.
    #[default]
    Rs256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    Rs384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    Rs512,
    /// RSA-PSS, SHA-256.
    Ps256,
    /// RSA-PSS, SHA-384.
    Ps384,
    /// RSA-PSS, SHA-512.
    Ps512,
    /// ECDSA on P-256, SHA-256.
    Es256,
    /// ECDSA on P-384, SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl SigningAlgorithm {
    pub(super) const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The algorithm with this `alg` (RFC 7518, section 3.1; RFC 8037, section 3.1), also if Ed25519
    /// has its own name (RFC 9864, section 2.2).
    pub(super) fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(super) fn as_jose(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
            Self::Ps256 => Algorithm::PS256,
            Self::Ps384 => Algorithm::PS384,
            Self::Ps512 => Algorithm::PS512,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

/// Shows the `alg` of tokens, such as `RS256`.
impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) name: String,
    /// Without `openid`, which is always requested.
    pub(super) scopes: Vec<String>,
    /// `None`: chosen from the metadata.
    pub(super) authentication: Option<ClientAuthentication>,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) trusted_audiences: Vec<String>,
    /// In seconds.
    pub(super) max_age: Option<u64>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) keeps_id_token: bool,
    pub(super) passes_tokens: bool,
    pub(super) logs_out_all_sessions: bool,
    pub(super) requires_logout_type: bool,
    pub(super) requires_logout_expiry: bool,
    pub(super) answers_400_when_unavailable: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            scopes: ["profile", "email"].map(str::to_owned).to_vec(),
            authentication: None,
            algorithm: SigningAlgorithm::default(),
            trusted_audiences: Vec::new(),
            max_age: None,
            parameters: Vec::new(),
            keeps_id_token: true,
            passes_tokens: false,
            logs_out_all_sessions: false,
            requires_logout_type: false,
            requires_logout_expiry: false,
            answers_400_when_unavailable: false,
        }
    }
}

impl Settings {
    pub(super) fn requests(&self, scope: &str) -> bool {
        self.scopes.iter().any(|requested| requested == scope)
    }
}
