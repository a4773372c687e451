//! Global token revocation: Okta's Universal Logout.

use async_trait::async_trait;
use http::{StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::{Oidc, OidcError, TokenError};
use crate::{
    Subject,
    jose::{Claims, Token, now},
    provider::{
        LogoutAnswer, LogoutCause, LogoutEndpoint, LogoutMessage, LogoutNotice, LogoutOutcome,
        LogoutRequest, LogoutScope, ProviderError,
    },
};

/// The `typ` of the token that proves a request.
const TOKEN_TYPE: &str = "global-token-revocation+jwt";
/// How old a token may be, in seconds, whatever its `exp`. Okta's are valid for five minutes.
const LONGEST_AGE: f64 = 60.0 * 60.0;

/// The endpoint at which a provider ends all logins of a user by a request with a signed token: the
/// Universal Logout of Okta (Global Token Revocation, an Internet-Draft).
///
/// Mount it with [`logout_endpoint`](crate::ClefLayerBuilder::logout_endpoint), and register its
/// absolute URL at the provider. Choose the subject format "issuer and subject": an e-mail address
/// is answered 422, since it does not identify a user safely.
#[derive(Clone, Debug)]
pub struct GlobalTokenRevocation {
    oidc: Oidc,
    /// The issuer of the token: the organisation.
    organization: String,
}

impl Oidc {
    /// Returns the endpoint for global token revocation by this provider.
    pub fn global_token_revocation(&self) -> GlobalTokenRevocation {
        GlobalTokenRevocation {
            organization: self.remote.issuer().to_owned(),
            oidc: self.clone(),
        }
    }

    /// Verifies the token of a request to `url` by the `organization`.
    async fn revocation_token(
        &self,
        token: &SecretString,
        organization: &str,
        url: &Url,
    ) -> Result<String, OidcError> {
        let (algorithm, now) = (self.settings.algorithm, now());
        let token = Token::parse(token.expose_secret(), algorithm)?;
        let claims = &token.claims;
        if token.header.kind()?.as_deref() != Some(TOKEN_TYPE) {
            return Err(TokenError::Type.into());
        }
        let trusted = &self.settings.trusted_audiences;
        claims.check(organization, url.as_str(), trusted, None, now)?;
        if claims.subject()? != Some(&*self.client_id) {
            return Err(TokenError::AuthorizedParty.into());
        }
        if Claims::is_older(claims.issued_at()?, LONGEST_AGE, now) {
            return Err(TokenError::TooOld.into());
        }
        let id = claims.token_id()?.ok_or(TokenError::Missing("jti"))?;
        self.remote.verify(&token, algorithm).await?;
        Ok(id.to_owned())
    }
}

impl GlobalTokenRevocation {
    /// Sets the issuer of the tokens, where it is not that of the ID tokens: at Okta the URL of the
    /// organisation, for an application at a custom authorization server. It must sign with the same
    /// keys.
    #[must_use]
    pub fn organization(mut self, issuer: impl Into<String>) -> Self {
        self.organization = issuer.into();
        self
    }
}

/// The body of a request. Older senders call the member `subject`.
#[derive(Deserialize)]
struct Body {
    #[serde(alias = "subject")]
    sub_id: SubjectId,
}

/// A subject identifier (RFC 9493, section 3.2).
#[derive(Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
enum SubjectId {
    IssSub {
        iss: String,
        sub: String,
    },
    #[serde(other)]
    Unsupported,
}

#[async_trait]
impl LogoutEndpoint for GlobalTokenRevocation {
    fn name(&self) -> &str {
        &self.oidc.settings.name
    }

    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
        let rejected = |status, reason| LogoutOutcome::NotANotice(status, reason);
        let token = request.bearer_token()?;
        if !request.has_media_type("application/json") {
            let reason = "Send JSON: application/json.";
            return Err(rejected(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
        let body = std::str::from_utf8(request.body).ok();
        let subject = body.and_then(|body| Some((body, subject_id(body)?)));
        match subject {
            Some((body, SubjectId::IssSub { .. })) => {
                Ok(LogoutMessage::new(token).with_content(body))
            }
            Some((_, SubjectId::Unsupported)) => Err(rejected(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Send a subject of the format iss_sub.",
            )),
            None => Err(rejected(StatusCode::BAD_REQUEST, "Send one sub_id.")),
        }
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        url: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        let token = message.proof();
        let token = self.oidc.revocation_token(token, &self.organization, url);
        let id = token.await?;
        let issuer = self.oidc.remote.issuer();
        match subject_id(message.content()) {
            Some(SubjectId::IssSub { iss, sub }) if iss == issuer || iss == self.organization => {
                let scope = LogoutScope::Person(Subject::new(issuer, sub));
                let cause = LogoutCause::provider("global-token-revocation");
                Ok(LogoutNotice::new(scope).with_id(id).with_cause(cause))
            }
            _ => Err(OidcError::from(TokenError::Issuer).into()),
        }
    }

    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let status = match outcome {
            LogoutOutcome::LoggedOut | LogoutOutcome::NothingEnded => StatusCode::NO_CONTENT,
            LogoutOutcome::UnknownUser => StatusCode::NOT_FOUND,
            LogoutOutcome::BadToken => StatusCode::UNAUTHORIZED,
            LogoutOutcome::SessionsNotKept | LogoutOutcome::TooManyUsers => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            LogoutOutcome::NotANotice(status, _) => status,
            LogoutOutcome::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        };
        let answer = LogoutAnswer::new(status, None);
        match status {
            // RFC 6750, section 3.
            StatusCode::UNAUTHORIZED => answer.with_header(
                header::WWW_AUTHENTICATE,
                http::HeaderValue::from_static("Bearer error=\"invalid_token\""),
            ),
            _ => answer,
        }
    }
}

fn subject_id(body: &str) -> Option<SubjectId> {
    let body: Body = serde_json::from_str(body).ok()?;
    Some(body.sub_id)
}
