//! The settings of an application at its provider.

use crate::{jose::SigningAlgorithm, token_request::ClientAuthentication};

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
    pub(super) uses_form_post: bool,
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
            uses_form_post: false,
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
