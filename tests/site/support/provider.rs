use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    Profile, ProviderSession, Subject,
    clef::Clef,
    provider::{
        ButtonScript, CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome,
        LogoutScope, Provider, ProviderError, ProviderErrorKind, ProviderLogin, SignOutRequest,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use url::Url;

pub const ISSUER: &str = "https://clef.test";
/// Of another provider.
pub const OTHER_ISSUER: &str = "https://other.test";

/// A place in the code where a test can hold what passes.
#[derive(Clone, Debug, Default)]
pub struct Pause {
    on: Arc<AtomicBool>,
    reached: Arc<Notify>,
    go: Arc<Notify>,
}

impl Pause {
    /// Holds what passes next.
    pub fn set(&self) {
        self.on.store(true, SeqCst);
    }

    /// Waits until it is held.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets it go on.
    pub fn go(&self) {
        self.go.notify_one();
    }

    pub async fn here(&self) {
        if self.on.swap(false, SeqCst) {
            self.reached.notify_one();
            self.go.notified().await;
        }
    }
}

/// A provider without a network: the code `code:12345` is the person 12345, and
/// `code:12345:sid:abc` is that person in the session `abc`, and
/// `code:12345:elsewhere:abc` in one of another issuer. The logout token `token:12345` or
/// `token:12345:anything` logs the person out, `session:abc` the session, and
/// `session:abc:of:12345` the session and says whose it is. Tokens are good for ever, so that
/// what stops a replay is the crate.
#[derive(Clone, Default)]
pub struct ScriptedProvider {
    pub other: bool,
    /// Whether it has a place to sign out.
    pub signs_out: Arc<AtomicBool>,
    pub down: Arc<AtomicBool>,
    pub misconfigured: Arc<AtomicBool>,
    pub panicking: Arc<AtomicBool>,
    /// Whether it names the sessions of its users.
    pub names_sessions: Arc<AtomicBool>,
    /// The length of the hint for a sign-out; zero for the usual one.
    pub hint_length: Arc<AtomicUsize>,
    pub exchanges: Arc<AtomicUsize>,
    pub notices: Arc<AtomicUsize>,
    pub during_start: Pause,
    pub during_exchange: Pause,
    pub during_notice: Pause,
}

impl ScriptedProvider {
    /// Another provider than the default one.
    pub fn other() -> Self {
        Self {
            other: true,
            ..Self::default()
        }
    }

    pub fn issuer(&self) -> &'static str {
        if self.other { OTHER_ISSUER } else { ISSUER }
    }

    fn subject(&self, text: &str, prefix: &str) -> Result<Subject, ProviderError> {
        if self.down.load(SeqCst) {
            return Err(ProviderError::new(ProviderErrorKind::Unavailable, "down"));
        }
        if self.misconfigured.load(SeqCst) {
            return Err(ProviderError::new(
                ProviderErrorKind::Misconfigured,
                "not set up",
            ));
        }
        text.strip_prefix(prefix)
            .and_then(|rest| rest.split(':').next())
            .map(|id| Subject::new(self.issuer(), id))
            .ok_or_else(|| ProviderError::new(ProviderErrorKind::Refused, "not good"))
    }
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
        self.during_start.here().await;
        if self.down.load(SeqCst) {
            return Err(ProviderError::new(ProviderErrorKind::Unavailable, "down"));
        }
        let url = Url::parse_with_params(
            &format!("{}/login", self.issuer()),
            [
                ("redirect_url", login.callback_url.as_str()),
                ("state", login.state.expose()),
            ],
        );
        url.map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        self.exchanges.fetch_add(1, SeqCst);
        let code = code.code.expose_secret();
        let subject = self.subject(code, "code:")?;
        self.during_exchange.here().await;
        let hint = match self.hint_length.load(SeqCst) {
            0 => format!("hint for {code}"),
            length => "h".repeat(length),
        };
        let login = ProviderLogin::new(Profile::new(subject)).with_sign_out_hint(hint.into());
        if let Some((_, sid)) = code.split_once(":elsewhere:") {
            return Ok(login.in_session(ProviderSession::new("https://elsewhere.test", sid)));
        }
        Ok(match code.split_once(":sid:") {
            Some((_, sid)) => login.in_session(ProviderSession::new(self.issuer(), sid)),
            None => login,
        })
    }

    async fn logout_notice(
        &self,
        logout_token: &SecretString,
    ) -> Result<LogoutNotice, ProviderError> {
        self.notices.fetch_add(1, SeqCst);
        assert!(!self.panicking.load(SeqCst), "the provider panics");
        let token = logout_token.expose_secret();
        let scope = match token.strip_prefix("session:") {
            None => LogoutScope::Person(self.subject(token, "token:")?),
            Some(session) => {
                let (sid, person) = match session.split_once(":of:") {
                    Some((sid, person)) => (sid, Some(Subject::new(self.issuer(), person))),
                    None => (session, None),
                };
                LogoutScope::session(ProviderSession::new(self.issuer(), sid), person)
            }
        };
        self.during_notice.here().await;
        Ok(LogoutNotice::new(scope))
    }

    async fn sign_out_url(
        &self,
        sign_out: &SignOutRequest<'_>,
    ) -> Result<Option<Url>, ProviderError> {
        if self.down.load(SeqCst) {
            return Err(ProviderError::new(ProviderErrorKind::Unavailable, "down"));
        }
        if !self.signs_out.load(SeqCst) {
            return Ok(None);
        }
        let hint = sign_out.hint.map(|hint| hint.expose_secret());
        let url = Url::parse_with_params(
            &format!("{}/sign-out", self.issuer()),
            [
                ("return_url", sign_out.return_url.as_str()),
                ("state", sign_out.state.expose()),
                ("hint", hint.unwrap_or_default()),
            ],
        );
        let url = url.map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error));
        url.map(Some)
    }

    fn button(&self, login: &LoginRequest<'_>) -> Option<ButtonScript> {
        let source = Url::parse("https://clef.test/button.js").ok()?;
        Some(ButtonScript::new(source, "button").attribute("data-state", login.state.expose()))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}
