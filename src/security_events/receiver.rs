//! The receiver of a sender's events, and its settings.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;

use super::{
    CredentialChange, SecurityEvent, SecurityEventError, dialect::Dialect,
    expected_state::ExpectedState, hook::EventHook, metadata::TransmitterMetadata,
    scopes::Subjects,
};
use crate::{
    AddressError, BoxError, address,
    jose::{Remote, RemoteError, SigningAlgorithm},
};

/// How old a pushed token may be by default.
const LONGEST_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Google's issuer, as its ID tokens have it.
const GOOGLE: &str = "https://accounts.google.com";

type EndsOnChange = Arc<dyn Fn(&CredentialChange) -> bool + Send + Sync>;

/// The receiver of the security events of one sender: a transmitter of the Shared Signals Framework
/// (SSF 1.0), with the events of CAEP and RISC.
///
/// Mount it with [`logout_endpoint`](crate::ClefLayerBuilder::logout_endpoint). The sender pushes
/// each event there as a signed token (RFC 8935). Clones share the cached keys.
///
/// - `session-revoked` ends the session that it names, or else all logins of the person. A session
///   with the id `ALL`, as Keycloak writes it, counts as none. A session beside a user narrows no other
///   event.
/// - `account-disabled`, `account-purged`, `account-credential-change-required`,
///   `credential-compromise`, `sessions-revoked` and Google's `tokens-revoked` end all logins.
/// - `credential-change` ends all logins unless a credential was created; see
///   [`credential_changes`](Self::credential_changes).
/// - All events reach the hook [`on_event`](Self::on_event), and all others end nothing.
///
/// The sender receives 202 once the logout is written and the hook has returned, and 503 before.
///
/// ```
/// use axum_clef::{
///     BoxError, ClefLayer,
///     oidc::Oidc,
///     security_events::{EventReceiver, SecurityEvent, SecurityEventKind},
///     stores::MemoryUserStore,
/// };
/// use tower_sessions::MemoryStore;
///
/// async fn lock(event: SecurityEvent) -> Result<(), BoxError> {
///     if event.kind == SecurityEventKind::AccountDisabled {
///         // Lock the account of `event.subject`. The same event may come again.
///     }
///     Ok(())
/// }
///
/// # fn main() -> Result<(), BoxError> {
/// let issuer = "https://id.example.com";
/// let receiver = EventReceiver::new(issuer, "https://example.com")?.on_event(lock);
/// let auth = ClefLayer::builder("https://example.com", MemoryUserStore::new(), MemoryStore::default())
///     .provider(Oidc::new(issuer, "your client id", "your client secret")?)
///     .logout_endpoint("/clef/events", receiver)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EventReceiver {
    pub(super) remote: Arc<Remote<TransmitterMetadata>>,
    pub(super) name: String,
    pub(super) audiences: Vec<String>,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) subjects: Subjects,
    pub(super) longest_age: Duration,
    pub(super) authorization: Option<SecretString>,
    pub(super) ends_on_change: EndsOnChange,
    pub(super) hook: Option<EventHook>,
    /// Shared by the clones.
    pub(super) expected_state: ExpectedState,
}

impl EventReceiver {
    /// Creates a receiver for the events of `issuer` to `audience`, which fetches the sender's
    /// metadata and keys at the first event.
    ///
    /// Write both exactly as the sender does. The audience is agreed with the sender: the URL of
    /// this site, or the client id.
    ///
    /// # Errors
    ///
    /// Returns an [`AddressError`] if the issuer is not an absolute URL, or is plain `http` to
    /// another machine. Correct the issuer.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, AddressError> {
        let issuer = issuer.into();
        let url = address::base_url(&issuer)?;
        Ok(Self {
            name: url.authority().to_owned(),
            audiences: vec![audience.into()],
            algorithm: SigningAlgorithm::default(),
            subjects: Subjects {
                issuers: vec![issuer.clone()],
                accepts_emails: false,
                accepts_identifiers: false,
                accepted_members: Vec::new(),
                dialect: Dialect::Standard,
            },
            longest_age: LONGEST_AGE,
            authorization: None,
            ends_on_change: Arc::new(CredentialChange::ends_logins),
            hook: None,
            expected_state: ExpectedState::default(),
            remote: Arc::new(Remote::new(issuer, Dialect::Standard)),
        })
    }

    /// Creates a receiver, and fetches the sender's metadata and keys (SSF 1.0, section 7), so that
    /// a wrong issuer is an error when the application starts.
    ///
    /// If the sender cannot be reached, that is a warning, and the first event fetches them.
    ///
    /// # Errors
    ///
    /// [`SecurityEventError::Remote`] if the metadata or keys are invalid, or the issuer is not a
    /// URL: correct the issuer.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use axum_clef::security_events::EventReceiver;
    ///
    /// // No sender listens there: this logs a warning.
    /// let receiver = EventReceiver::discover("http://127.0.0.1:1", "https://example.com").await?;
    /// # Ok::<(), axum_clef::BoxError>(())
    /// # }).unwrap();
    /// ```
    pub async fn discover(
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, SecurityEventError> {
        let receiver = Self::new(issuer, audience).map_err(|reason| {
            let name = "issuer";
            SecurityEventError::Remote(RemoteError::MetadataAddress { name, reason })
        })?;
        match receiver.remote.keys().await {
            Err(error) if error.is_permanent() => return Err(error.into()),
            Err(error) => tracing::warn!(
                issuer = receiver.remote.issuer(),
                %error,
                "the metadata or keys of the sender could not be fetched; the next event fetches them"
            ),
            Ok(_) => {}
        }
        Ok(receiver)
    }

    /// Creates a receiver for Google's Cross-Account Protection. The audiences are the client ids of
    /// your applications at Google.
    ///
    /// Subjects are those of an `Oidc` provider with the issuer `https://accounts.google.com`.
    ///
    /// ```
    /// use axum_clef::security_events::EventReceiver;
    ///
    /// let receiver = EventReceiver::google(["123.apps.googleusercontent.com"])?;
    /// # Ok::<(), axum_clef::AddressError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// None in practice: the issuer is a URL.
    pub fn google<S: Into<String>>(
        client_ids: impl IntoIterator<Item = S>,
    ) -> Result<Self, AddressError> {
        let mut receiver = Self::new(GOOGLE, "")?
            .google_dialect()
            .display_name("Google");
        receiver.audiences = client_ids.into_iter().map(Into::into).collect();
        Ok(receiver)
    }

    /// Accepts what Google writes differently, for tests of a site with [`google`](Self::google) at
    /// a sender of their own: `typ` may be missing, a trailing slash of an issuer makes no
    /// difference, and subjects have a `subject_type`. Metadata and keys are fetched anew.
    #[must_use]
    pub fn google_dialect(mut self) -> Self {
        let issuer = self.remote.issuer().to_owned();
        self.remote = Arc::new(Remote::new(issuer, Dialect::Google));
        self.subjects.dialect = Dialect::Google;
        self
    }

    /// The name of the sender in the log. Defaults to the issuer's host.
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds an audience. A token must name one of them.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The only accepted algorithm of the tokens. Defaults to
    /// [`Rs256`](SigningAlgorithm::Rs256), which the interoperability profile of CAEP asks for.
    #[must_use]
    pub fn signing_algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The issuers of the subjects and sessions that events may name: those of your OpenID
    /// providers. Defaults to the issuer of the events.
    ///
    /// A session, an e-mail address and an opaque id name no issuer. A session is ended at each of
    /// these issuers, and the user store finds the others under the first.
    #[must_use]
    pub fn subject_issuers<S: Into<String>>(
        mut self,
        issuers: impl IntoIterator<Item = S>,
    ) -> Self {
        self.subjects.issuers = issuers.into_iter().map(Into::into).collect();
        self
    }

    /// Accepts events that name their subject by an e-mail address. Off by default: such an event is
    /// refused if it ends logins.
    ///
    /// The user store must [find users by verified addresses](crate::IdentityStore::users_of); one that
    /// knows no identifiers is an error of [`build`](crate::ClefLayerBuilder::build).
    #[must_use]
    pub fn accept_verified_emails(mut self) -> Self {
        self.subjects.accepts_emails = true;
        self
    }

    /// Accepts events that name their subject by an id or address of another format: `opaque`,
    /// `account`, `phone_number`, `did` and `uri`. Off by default: such an event is refused if it
    /// ends logins.
    ///
    /// The user store must [find users by them](crate::IdentityStore::users_of); one that knows no
    /// identifiers is an error of [`build`](crate::ClefLayerBuilder::build). The ready stores know
    /// e-mail addresses only. An `opaque` session needs no such setting.
    #[must_use]
    pub fn accept_identifiers(mut self) -> Self {
        self.subjects.accepts_identifiers = true;
        self
    }

    /// Accepts events whose subject has these members, such as `tenant`, although the sender's
    /// metadata lists them in `critical_subject_members` (SSF 1.0, section 3.6). Defaults to none: an
    /// event with a critical member other than `user` and `session` is refused, and reaches no hook.
    ///
    /// Name a member that is always yours, such as the tenant of a stream for one tenant, or that
    /// your [hook](Self::on_event) compares. An accepted event ends the logins of its user, whatever
    /// the member says. An empty name, `format`, `user` and `session` are errors of
    /// [`build`](crate::ClefLayerBuilder::build) and of
    /// [`poll_events`](crate::ClefLayer::poll_events).
    ///
    /// ```
    /// use axum_clef::security_events::EventReceiver;
    ///
    /// # fn example(receiver: EventReceiver) -> EventReceiver {
    /// receiver.accept_subject_members(["tenant"])
    /// # }
    /// ```
    #[must_use]
    pub fn accept_subject_members<S: Into<String>>(
        mut self,
        members: impl IntoIterator<Item = S>,
    ) -> Self {
        let members = members.into_iter().map(Into::into);
        self.subjects.accepted_members.extend(members);
        self
    }

    /// Whether a change of a credential ends logins. Defaults to all changes but
    /// [`Create`](super::ChangeType::Create).
    ///
    /// ```
    /// use axum_clef::security_events::EventReceiver;
    ///
    /// # fn example(receiver: EventReceiver) -> EventReceiver {
    /// receiver.credential_changes(|change| change.credential_type == "password")
    /// # }
    /// ```
    #[must_use]
    pub fn credential_changes(
        mut self,
        ends_logins: impl Fn(&CredentialChange) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.ends_on_change = Arc::new(ends_logins);
        self
    }

    /// How old a pushed token may be, by its `iat`. Defaults to 24 hours.
    ///
    /// Tokens do not expire, and this node remembers the latest 10,000 notices until it restarts. So
    /// the limit bounds what a copied token can end. Events that are polled have no limit.
    #[must_use]
    pub fn longest_age(mut self, age: Duration) -> Self {
        self.longest_age = age;
        self
    }

    /// Accepts only requests with this `Authorization` header, which the sender was given with the
    /// address of this endpoint. Defaults to none: the signature is the proof.
    ///
    /// With it, forged requests cost no signature.
    #[must_use]
    pub fn authorization(mut self, header: impl Into<SecretString>) -> Self {
        self.authorization = Some(header.into());
        self
    }

    /// Calls a function with each verified event, before its logins end: to lock an account, for
    /// example.
    ///
    /// It runs before the logout is written, so a user whose account it has locked cannot log in
    /// again. It may take 15 seconds in all. If it fails, no login ends, and the sender receives 503
    /// and sends the event again. The same event may come several times, also after success and at
    /// several nodes, so calling it again must change nothing.
    ///
    /// Events may come out of order, also at several nodes at once. Keep the
    /// [`issued_at`](SecurityEvent::issued_at) of the last event that you have applied beside what it
    /// has changed, and leave earlier ones out: `account-enabled` may come before the
    /// `account-disabled` that it takes back. The error is logged; it must not contain personal data.
    #[must_use]
    pub fn on_event<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(SecurityEvent) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hook = Some(EventHook::new(hook));
        self
    }

    /// Expects this state in the next verification event, for a minute; one with another state is
    /// refused (`invalid_state`; SSF 1.0, section 8.1.4). Without a call, and after the minute, every
    /// state is accepted, since another node may have asked for it.
    pub fn expect_state(&self, state: impl Into<SecretString>) {
        self.expected_state.expect(state.into());
    }
}

impl fmt::Debug for EventReceiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EventReceiver")
            .field("issuer", &self.remote.issuer())
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}
