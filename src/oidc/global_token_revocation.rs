//! Global token revocation: Okta's Universal Logout.

use async_trait::async_trait;
use http::{HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::{Oidc, OidcError, TokenError};
use crate::{
    Subject, SubjectIdentifier,
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
/// absolute URL at the provider. Choose the subject format "issuer and subject" there. An e-mail
/// address is answered 422, unless [`accept_verified_emails`](Self::accept_verified_emails) is set.
///
/// A token signs no subject, so it is good for one request: with the same `jti`, another subject is
/// answered 401.
#[derive(Clone, Debug)]
pub struct GlobalTokenRevocation {
    oidc: Oidc,
    /// The issuer of the token: the organisation.
    organization: String,
    accepts_verified_emails: bool,
}

impl Oidc {
    /// Returns the endpoint for global token revocation by this provider, with the settings of now: call it last.
    pub fn global_token_revocation(&self) -> GlobalTokenRevocation {
        GlobalTokenRevocation {
            organization: self.remote.issuer().to_owned(),
            oidc: self.clone(),
            accepts_verified_emails: false,
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
        if token.header.kind()?.as_deref() != Some(TOKEN_TYPE) {
            return Err(TokenError::Type.into());
        }
        let claims = token.notice_claims()?;
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
    /// Sets the issuer of the tokens, where it differs from the issuer of the ID tokens: at Okta the
    /// URL of the organisation, for an application at a custom authorization server. It must sign with
    /// the same keys.
    #[must_use]
    pub fn organization(mut self, issuer: impl Into<String>) -> Self {
        self.organization = issuer.into();
        self
    }

    /// Accepts subjects of the format `email` too, for senders that send no other. By default they
    /// are answered 422.
    ///
    /// All logins end of the users whom the user store finds by the address:
    /// [`IdentityStore::users_of`], which returns only users whose address is verified. A user store
    /// that [knows no identifiers] is an error of [`build`](crate::ClefLayerBuilder::build).
    ///
    /// [`IdentityStore::users_of`]: crate::IdentityStore::users_of
    /// [knows no identifiers]: crate::IdentityStore::knows_identifiers
    #[must_use]
    pub fn accept_verified_emails(mut self) -> Self {
        self.accepts_verified_emails = true;
        self
    }
}

/// The body of a request. Older senders call the member `subject`.
#[derive(Deserialize)]
struct Body {
    #[serde(alias = "subject")]
    sub_id: SubjectIdentifier,
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
        let Some((body, subject)) = subject else {
            return Err(rejected(StatusCode::BAD_REQUEST, "Send one sub_id."));
        };
        let reason = match subject {
            SubjectIdentifier::IssSub(_) => None,
            SubjectIdentifier::Email(_) if self.accepts_verified_emails => None,
            _ if self.accepts_verified_emails => Some("Send the format iss_sub or email."),
            _ => Some("Send a subject of the format iss_sub."),
        };
        match reason {
            None => Ok(LogoutMessage::new(token).with_content(body)),
            Some(reason) => Err(rejected(StatusCode::UNPROCESSABLE_ENTITY, reason)),
        }
    }

    fn names_identifiers(&self) -> bool {
        self.accepts_verified_emails
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        url: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        let issuer = self.oidc.remote.issuer();
        let identifier = match subject_id(message.content()) {
            Some(SubjectIdentifier::IssSub(subject))
                if [issuer, &self.organization].contains(&subject.issuer()) =>
            {
                SubjectIdentifier::IssSub(Subject::new(issuer, subject.id()))
            }
            Some(SubjectIdentifier::Email(email)) if self.accepts_verified_emails => {
                SubjectIdentifier::Email(email)
            }
            _ => return Err(OidcError::from(TokenError::Issuer).into()),
        };
        let token = message.proof();
        let token = self.oidc.revocation_token(token, &self.organization, url);
        let id = token.await?;
        let notice = LogoutNotice::new(LogoutScope::identified(issuer, identifier));
        let cause = LogoutCause::provider("global-token-revocation");
        Ok(notice.with_single_use_id(id).with_cause(cause))
    }

    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let status = match outcome {
            LogoutOutcome::LoggedOut | LogoutOutcome::NothingEnded => StatusCode::NO_CONTENT,
            LogoutOutcome::UnknownUser => StatusCode::NOT_FOUND,
            LogoutOutcome::BadToken | LogoutOutcome::Rejected(_) => StatusCode::UNAUTHORIZED,
            LogoutOutcome::SessionsNotKept | LogoutOutcome::TooManyUsers => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            LogoutOutcome::NotANotice(status, _) => status,
            LogoutOutcome::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        };
        let answer = LogoutAnswer::new(status, None);
        // RFC 6750, section 3.1: without a token there is no error to name.
        let challenge = match (status, outcome) {
            (StatusCode::UNAUTHORIZED, LogoutOutcome::NotANotice(..)) => {
                "Bearer realm=\"axum-clef\""
            }
            (StatusCode::UNAUTHORIZED, _) => "Bearer error=\"invalid_token\"",
            (StatusCode::BAD_REQUEST, _) => "Bearer error=\"invalid_request\"",
            _ => return answer,
        };
        let challenge = HeaderValue::from_static(challenge);
        answer.with_header(header::WWW_AUTHENTICATE, challenge)
    }
}

fn subject_id(body: &str) -> Option<SubjectIdentifier> {
    let body: Body = serde_json::from_str(body).ok()?;
    Some(body.sub_id)
}
