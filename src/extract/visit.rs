//! One request, and who makes it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{extract::OriginalUri, http::request::Parts};
use http::Extensions;
use tokio::sync::OnceCell;
use tower_cookies::Cookies;
use tower_sessions::Session;
use url::form_urlencoded;

use super::{
    Login,
    rejection::{Absence, RejectionKind, RenderRejection},
};
use crate::{
    BoxError, LoginReference, ProviderSession, Standing,
    pending::PendingLogouts,
    session::{self, LoginKey, LoginRecord, Renewal, Renewed},
    strangers::Strangers,
    time_limit::{STORE_LIMIT, within},
    user::{AnyUser, AnyUserStore},
};

/// Path and query of the page that was asked for. A nested router sees only its part of it.
pub(crate) fn asked_for(parts: &Parts) -> &str {
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |OriginalUri(uri)| uri);
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// What the check needs, the same for every request.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) users: Arc<dyn AnyUserStore>,
    pub(crate) pending: PendingLogouts,
    pub(crate) strangers: Strangers,
    /// What tells this layer's logins from those of another over the same sessions: the URLs of
    /// its callbacks.
    pub(crate) realms: Vec<String>,
    /// How long a login lasts at the most, however busy it is.
    pub(crate) lifetime: Option<Duration>,
    /// Absent where the application keeps its sessions itself.
    pub(crate) renewal: Option<Renewal>,
    /// The name of the cookie that holds the key of the login.
    pub(crate) key_cookie: String,
    /// Where whoever must log in goes: the start route, or a page of the application.
    pub(crate) login_path: String,
    pub(crate) render_rejection: Option<RenderRejection>,
}

/// A request on its way through the layer. Asking it who is there costs a load of the
/// session and of the user, the first time.
pub(crate) struct Visit {
    pub(crate) gate: Arc<Gate>,
    answer: OnceCell<Result<Option<Visitor>, Absence>>,
    storing_forbidden: AtomicBool,
    /// Whether a session cookie goes out with the answer.
    renewed: AtomicBool,
}

/// Whether the answer to a request may be stored by a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storing {
    /// Nobody asked who is there: it is the same for all.
    Free,
    /// It was made for nobody; somebody would get another.
    ByCookie,
    /// It was made for one person; the handler may know better.
    Forbidden,
    /// It carries a session cookie.
    ForbiddenWhateverTheHandlerSays,
}

/// Somebody whose login is valid.
#[derive(Clone)]
pub(crate) struct Visitor {
    /// Whether the session was renewed, so that its cookie goes out again.
    renewed: bool,
    pub(crate) login: Login,
    pub(crate) user: AnyUser,
}

impl Visit {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            answer: OnceCell::new(),
            storing_forbidden: AtomicBool::new(false),
            renewed: AtomicBool::new(false),
        }
    }

    /// Says that the answer holds something good for one person once.
    pub(crate) fn forbid_storing(&self) {
        self.storing_forbidden.store(true, Ordering::Release);
    }

    /// What a cache between us and the browser must know of the answer.
    pub(crate) fn storing(&self) -> Storing {
        let somebody = matches!(self.answer.get(), Some(Ok(Some(_))));
        if self.renewed.load(Ordering::Acquire) {
            Storing::ForbiddenWhateverTheHandlerSays
        } else if somebody || self.storing_forbidden.load(Ordering::Acquire) {
            Storing::Forbidden
        } else if self.answer.initialized() {
            Storing::ByCookie
        } else {
            Storing::Free
        }
    }

    /// Who is there. `None`: nobody whose login counts.
    pub(crate) async fn visitor(
        &self,
        extensions: &Extensions,
    ) -> Result<Option<&Visitor>, Absence> {
        let answer = self.answer.get_or_init(|| self.look(extensions)).await;
        match answer {
            Ok(visitor) => Ok(visitor.as_ref()),
            Err(absence) => Err(absence.clone()),
        }
    }
}

impl Visit {
    async fn look(&self, extensions: &Extensions) -> Result<Option<Visitor>, Absence> {
        let (Some(session), Some(cookies)) =
            (extensions.get::<Session>(), extensions.get::<Cookies>())
        else {
            return Err(Absence::new(
                RejectionKind::LayerMissing,
                "there is no session in the request; is ClefLayer the layer around this route?",
            ));
        };
        let checked = within(STORE_LIMIT, self.gate.check(session, cookies));
        let checked = checked
            .await
            .map_err(|error| Absence::new(RejectionKind::StoreUnavailable, error))?;
        if checked.as_ref().is_some_and(|visitor| visitor.renewed) {
            self.renewed.store(true, Ordering::Release);
        }
        Ok(checked)
    }
}

impl Gate {
    /// Where whoever must log in goes, with the way back to `next`.
    pub(crate) fn login_for(&self, next: &str) -> String {
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        format!("{}?next={next}", self.login_path)
    }

    /// The check itself. Every way out of it but the last one leads to nobody.
    async fn check(
        &self,
        session: &Session,
        cookies: &Cookies,
    ) -> Result<Option<Visitor>, BoxError> {
        let Some(record) = session::read(session).await? else {
            return Ok(None);
        };
        if !self.realms.contains(&record.realm) {
            return Ok(refused(&record, "it is a login of another layer"));
        }
        let key = cookies
            .get(&self.key_cookie)
            .map(|cookie| LoginKey::from_cookie(cookie.value()));
        if !key.is_some_and(|key| key.fits(&record.key)) {
            return Ok(refused(
                &record,
                "the browser does not hold the login's key",
            ));
        }
        let provider_session = record.provider_session();
        // Before the user is loaded: once a pending logout is written, the load shows it.
        if self
            .pending
            .contains(&record.subject, provider_session.as_ref())
        {
            return Ok(refused(&record, "a logout of this person is being written"));
        }
        let login = LoginReference::new(&record.user_id, &record.subject)
            .in_session(provider_session.as_ref());
        let Some(standing) = self.users.standing(login).await? else {
            return Ok(refused(&record, "there is no such user any more"));
        };
        let Standing { user, now, .. } = standing;
        if !record.logged_in_at.outlives(user.logged_out_at) {
            return Ok(refused(&record, "logged out since"));
        }
        if !record.logged_in_at.outlives(standing.session_logged_out_at) {
            return Ok(refused(&record, "its session at the provider has ended"));
        }
        if record.logged_in_at.is_too_far_ahead_of(now) {
            return Ok(refused(&record, "the login lies in the future"));
        }
        let age = now.since(record.logged_in_at);
        if self.lifetime.is_some_and(|lifetime| age >= lifetime) {
            return Ok(refused(&record, "its lifetime is over"));
        }
        // Longer than that nobody keeps the end of its session.
        if provider_session.is_some() && age >= ProviderSession::LONGEST_LOGIN {
            return Ok(refused(&record, "the lifetime of its session is over"));
        }
        let renewed = match &self.renewal {
            Some(renewal) => renewal.renew(session, cookies, &record, now).await?,
            None => Renewed::NotDue,
        };
        if renewed == Renewed::Ended {
            return Ok(refused(&record, "the session has ended meanwhile"));
        }
        Ok(Some(Visitor {
            renewed: renewed == Renewed::Yes,
            login: Login::from(record),
            user,
        }))
    }
}

fn refused(record: &LoginRecord, reason: &'static str) -> Option<Visitor> {
    tracing::debug!(user = ?record.user_id, reason, "a login is refused");
    None
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gate")
            .field("login_path", &self.login_path)
            .field("pending_logouts", &self.pending.len())
            .finish_non_exhaustive()
    }
}
