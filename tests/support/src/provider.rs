use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    Profile, ProviderSession, Subject, Timestamp,
    clef::Clef,
    provider::{
        Authentication, ButtonScript, CodeExchange, LoginRequest, LogoutAnswer, LogoutEndpoint,
        LogoutMessage, LogoutNotice, LogoutOutcome, LogoutRequest, LogoutScope, Provider,
        ProviderError, ProviderErrorKind, ProviderLogin, SignOutRequest,
    },
};
use secrecy::ExposeSecret as _;
use url::Url;

use crate::{
    Pause,
    hook::{Count, Flag},
};

/// The issuer of the subjects.
pub const ISSUER: &str = "https://clef.test";
/// The issuer of another provider.
pub const OTHER_ISSUER: &str = "https://other.test";

/// What a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Asked {
    LoginUrl,
    Exchange,
    Notice,
    SignOutUrl,
}

type Step = dyn Fn(Asked, String) -> Pin<Box<dyn Future<Output = Result<(), ProviderError>> + Send>>
    + Send
    + Sync;

/// A provider without a network: the code `code:12345` is the person 12345, and
/// `code:12345:sid:abc` is that person in the session `abc`, and
/// `code:12345:elsewhere:abc` in one of another issuer. Each proves its credentials for the login;
/// `code:12345:silent` does not, and `code:12345:proven:7` did so 7 microseconds after the epoch.
/// The logout token `token:12345` or
/// `token:12345:anything` logs the person out, `session:abc` the session, and
/// `session:abc:of:12345` or `session:abc:of:12345:anything` the session and says whose it is.
/// `nothing` or `nothing:anything` ends nothing, and tokens joined by `+` end what each names.
/// Tokens do not expire, so that what stops a replay is the crate.
#[derive(Clone, Default)]
#[allow(missing_docs)] // Their names say it.
pub struct ScriptedProvider {
    pub other: bool,
    /// Whether there is a page to sign out at.
    pub signs_out: Flag,
    pub down: Flag,
    pub misconfigured: Flag,
    pub has_no_button: Flag,
    pub panicking: Flag,
    /// Whether the provider names the sessions of its users.
    pub names_sessions: Flag,
    /// The length of the hint for a sign-out. 0 is the usual one.
    pub hint_length: Count,
    pub exchanges: Count,
    pub notices: Count,
    pub during_start: Pause,
    pub during_exchange: Pause,
    pub during_notice: Pause,
    /// The issuer of its subjects, where it is neither of the two.
    own_issuer: Option<Arc<str>>,
    step: Option<Arc<Step>>,
}

impl ScriptedProvider {
    /// Another provider than the default one.
    pub fn other() -> Self {
        Self {
            other: true,
            ..Self::default()
        }
    }

    /// Runs this first in each call, with the code or the token.
    pub fn with_step<F>(mut self, step: impl Fn(Asked, String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), ProviderError>> + Send + 'static,
    {
        self.step = Some(Arc::new(move |asked, secret| Box::pin(step(asked, secret))));
        self
    }

    /// Sets the issuer of its subjects.
    pub fn with_issuer(mut self, issuer: &str) -> Self {
        self.own_issuer = Some(issuer.into());
        self
    }

    /// The issuer of its subjects.
    pub fn issuer(&self) -> &str {
        match &self.own_issuer {
            Some(issuer) => issuer,
            None if self.other => OTHER_ISSUER,
            None => ISSUER,
        }
    }

    async fn begin(&self, asked: Asked, secret: &str) -> Result<(), ProviderError> {
        match &self.step {
            Some(step) => step(asked, secret.to_owned()).await,
            None => Ok(()),
        }
    }

    fn works(&self) -> Result<(), ProviderError> {
        let failing = |kind, text| Err(ProviderError::new(kind, text));
        if self.down.load(SeqCst) {
            return failing(ProviderErrorKind::Unavailable, "down");
        }
        if self.misconfigured.load(SeqCst) {
            return failing(ProviderErrorKind::Misconfigured, "not set up");
        }
        Ok(())
    }

    fn subject(&self, text: &str, prefix: &str) -> Result<Subject, ProviderError> {
        self.works()?;
        text.strip_prefix(prefix)
            .and_then(|rest| rest.split(':').next())
            .map(|id| Subject::new(self.issuer(), id))
            .ok_or_else(|| refused("not good"))
    }

    fn url(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Url, ProviderError> {
        let url = format!("{}{path}", self.issuer());
        Url::parse_with_params(&url, parameters)
            .map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error))
    }
}

/// The answer of a provider to what it does not accept.
pub fn refused(text: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Refused, text)
}

#[async_trait]
impl Provider for ScriptedProvider {
    fn name(&self) -> &str {
        if self.other { "Other" } else { "Clef" }
    }

    fn names_sessions(&self) -> bool {
        self.names_sessions.load(SeqCst)
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        self.begin(Asked::LoginUrl, "").await?;
        self.during_start.here().await;
        if self.down.load(SeqCst) {
            return Err(ProviderError::new(ProviderErrorKind::Unavailable, "down"));
        }
        let mut parameters = vec![
            ("redirect_url", login.callback_url.as_str()),
            ("state", login.state.expose()),
        ];
        let max_age = login.max_age.map(|max_age| max_age.as_secs().to_string());
        parameters.extend(max_age.iter().map(|max_age| ("max_age", max_age.as_str())));
        self.url("/login", &parameters)
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        self.exchanges.fetch_add(1, SeqCst);
        let code = code.code.expose_secret();
        self.begin(Asked::Exchange, code).await?;
        let subject = self.subject(code, "code:")?;
        self.during_exchange.here().await;
        let hint = match self.hint_length.load(SeqCst) {
            0 => format!("hint for {code}"),
            length => "h".repeat(length),
        };
        let authentication = match code.split_once(":proven:") {
            Some((_, at)) => Authentication::At(Timestamp::from_micros(at.parse().unwrap())),
            None if code.ends_with(":silent") => Authentication::Unknown,
            None => Authentication::ForThisLogin,
        };
        let login = ProviderLogin::new(Profile::new(subject))
            .authenticated(authentication)
            .with_sign_out_hint(hint.into());
        if let Some((_, sid)) = code.split_once(":elsewhere:") {
            return Ok(login.in_session(ProviderSession::new("https://elsewhere.test", sid)));
        }
        Ok(match code.split_once(":sid:") {
            Some((_, sid)) => login.in_session(ProviderSession::new(self.issuer(), sid)),
            None => login,
        })
    }

    fn logout_endpoint(&self) -> Option<Arc<dyn LogoutEndpoint>> {
        Some(Arc::new(self.clone()))
    }

    async fn sign_out_url(
        &self,
        sign_out: &SignOutRequest<'_>,
    ) -> Result<Option<Url>, ProviderError> {
        self.begin(Asked::SignOutUrl, "").await?;
        if self.down.load(SeqCst) {
            return Err(ProviderError::new(ProviderErrorKind::Unavailable, "down"));
        }
        if !self.signs_out.load(SeqCst) {
            return Ok(None);
        }
        let hint = sign_out.hint.map(|hint| hint.expose_secret());
        let parameters = [
            ("return_url", sign_out.return_url.as_str()),
            ("state", sign_out.state.expose()),
            ("hint", hint.unwrap_or_default()),
        ];
        self.url("/sign-out", &parameters).map(Some)
    }

    fn button(&self, login: &LoginRequest<'_>) -> Option<ButtonScript> {
        if self.has_no_button.load(SeqCst) {
            return None;
        }
        let source = Url::parse("https://clef.test/button.js").ok()?;
        Some(ButtonScript::new(source, "button").attribute("data-state", login.state.expose()))
    }
}

#[async_trait]
impl LogoutEndpoint for ScriptedProvider {
    fn name(&self) -> &str {
        Provider::name(self)
    }

    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
        request.form_field("logout_token").map(LogoutMessage::new)
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        _: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        self.notices.fetch_add(1, SeqCst);
        assert!(!self.panicking.load(SeqCst), "the provider panics");
        let token = message.proof().expose_secret();
        self.begin(Asked::Notice, token).await?;
        let mut notice = LogoutNotice::ends_nothing();
        for token in token
            .split('+')
            .filter(|token| !token.starts_with("nothing"))
        {
            notice = notice.and(match token.strip_prefix("session:") {
                None => LogoutScope::Person(self.subject(token, "token:")?),
                Some(session) => {
                    let (sid, person) = match session.split_once(":of:") {
                        Some((sid, person)) => (sid, Some(self.subject(person, "")?)),
                        None => (session, None),
                    };
                    LogoutScope::session(ProviderSession::new(self.issuer(), sid), person)
                }
            });
        }
        self.during_notice.here().await;
        Ok(notice)
    }

    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.answer(outcome)
    }
}
