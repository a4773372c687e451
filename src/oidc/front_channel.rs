//! Front-channel logout (OpenID Connect Front-Channel Logout 1.0).

use async_trait::async_trait;
use http::{HeaderValue, Method, StatusCode, header};
use secrecy::ExposeSecret as _;
use url::Url;

use super::Oidc;
use crate::{
    ProviderSession,
    provider::{
        LogoutAnswer, LogoutCause, LogoutEndpoint, LogoutMessage, LogoutNotice, LogoutOutcome,
        LogoutRequest, LogoutScope, ProviderError, ProviderErrorKind,
    },
};

/// The longest id of a session, in bytes.
const LONGEST_SESSION: usize = 1_024;

/// The endpoint that a provider loads in a frame of its logout page, with the id of the session
/// that has ended: what Entra ID has instead of back-channel logout.
///
/// Mount it with [`logout_endpoint`](crate::ClefLayerBuilder::logout_endpoint), and register its
/// URL as the front-channel logout URL.
///
/// The browser carries the notice, so it is less than back-channel logout: it arrives only if the
/// user logs out in that browser and the page stays open long enough. It ends the logins of the
/// session that the URL names, and never those of a whole person. A login without a `sid` does not
/// end. Use both where the provider has both.
///
/// Anyone who knows the id of a session can end it, and nothing else: the notice is not signed
/// (Front-Channel Logout 1.0, section 2). The endpoint reads no cookie, which browsers keep from
/// frames of other sites. The answer is the same for known and unknown sessions, but not the time
/// that it takes: a known one is written. While a write fails, a known session is answered 503. So a
/// `sid` must not be guessable. Keep the query of the URL out of access logs.
#[derive(Clone, Debug)]
pub struct FrontChannelLogout(Oidc);

impl Oidc {
    /// Returns the endpoint for front-channel logout at this provider, with the settings of now: call it last.
    ///
    /// The ID token must have a `sid`, which is an optional claim at Entra ID. Needs a user store
    /// that [notes sessions](crate::IdentityStore::notes_sessions), as the ready ones do.
    pub fn front_channel_logout(&self) -> FrontChannelLogout {
        FrontChannelLogout(self.clone())
    }
}

#[async_trait]
impl LogoutEndpoint for FrontChannelLogout {
    fn name(&self) -> &str {
        &self.0.settings.name
    }

    fn method(&self) -> Method {
        Method::GET
    }

    fn ends_noted_sessions(&self) -> bool {
        true
    }

    /// The specification has `iss` and `sid`, both or neither. Entra ID sends `sid` alone, and
    /// without it there is nothing to end.
    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
        let session = request.query_parameter("sid")?.unwrap_or_default();
        let issuer = request.query_parameter("iss")?;
        if session.is_empty() || session.len() > LONGEST_SESSION {
            return Err(LogoutOutcome::NotANotice(
                StatusCode::BAD_REQUEST,
                "The sid is missing.",
            ));
        }
        let message = LogoutMessage::new(session).with_content(issuer.unwrap_or_default());
        Ok(message.unsigned())
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        _: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        let issuer = self.0.remote.issuer();
        if !message.content().is_empty() && message.content() != issuer {
            let error = "the `iss` names another provider";
            return Err(ProviderError::new(ProviderErrorKind::Refused, error));
        }
        let session = ProviderSession::new(issuer, message.proof().expose_secret());
        let notice = LogoutNotice::new(LogoutScope::NotedSession(session));
        Ok(notice.with_cause(LogoutCause::provider("frontchannel-logout")))
    }

    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let status = match outcome {
            LogoutOutcome::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
            LogoutOutcome::NotANotice(..) | LogoutOutcome::BadToken => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        };
        let answer = LogoutAnswer::new(status, None);
        match self.frame_policy() {
            Some(policy) => answer.with_header(header::CONTENT_SECURITY_POLICY, policy),
            None => answer,
        }
    }
}

impl FrontChannelLogout {
    /// Lets only the pages of the provider frame the answer.
    fn frame_policy(&self) -> Option<HeaderValue> {
        let mut origins = vec![Url::parse(self.0.remote.issuer()).ok()?.origin()];
        let metadata = self.0.remote.known_metadata();
        let end_session = metadata.and_then(|metadata| metadata.end_session_endpoint.clone());
        origins.extend(end_session.map(|url| url.origin()));
        origins.dedup();
        let origins: Vec<_> = origins
            .iter()
            .map(url::Origin::ascii_serialization)
            .collect();
        let policy = format!("default-src 'none'; frame-ancestors {}", origins.join(" "));
        HeaderValue::try_from(policy).ok()
    }
}
