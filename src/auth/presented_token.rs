//! The bearer token that a request presents as a login.

use std::sync::Arc;

use http::{HeaderMap, header};

use super::{AuthState, CheckError, RejectionKind};
use crate::{
    bearer::{Bearer, bearer},
    sessions::PresentedLogin,
};

impl AuthState {
    /// The bearer token of a request, before it is compared with any logout. `None` if the request
    /// has none, or the layer takes none.
    ///
    /// # Errors
    ///
    /// When the header is malformed, or the token is none of this site.
    pub(crate) fn presented_token(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<PresentedLogin>>, CheckError> {
        let Some(tokens) = &self.tokens else {
            return Ok(None);
        };
        match bearer(headers) {
            Bearer::Absent => Ok(None),
            Bearer::Malformed => Err(CheckError::token(RejectionKind::MalformedAuthorization)),
            Bearer::Token(token) => match tokens.open(token) {
                Some(login) => Ok(Some(login)),
                None => Err(CheckError::token(RejectionKind::InvalidToken)),
            },
        }
    }

    /// Whether a request comes with a token that this site has made. A page of another site cannot
    /// send one unless it knows it.
    pub(crate) fn has_token(&self, headers: &HeaderMap) -> bool {
        matches!(self.presented_token(headers), Ok(Some(_)))
    }

    /// Marks the credentials of a request for what logs its headers.
    pub(crate) fn mark_sensitive(&self, headers: &mut HeaderMap) {
        if self.tokens.is_none() {
            return;
        }
        if let header::Entry::Occupied(mut entry) = headers.entry(header::AUTHORIZATION) {
            entry.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
}
