//! One request, and who makes it.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::OriginalUri,
    http::{HeaderMap, request::Parts},
};
use tokio::{sync::OnceCell, time::Instant};
use tower_sessions::{Session, session::Id};
use url::form_urlencoded;

use super::{
    Login,
    rejection::{Absence, RejectionKind, RenderRejection, Unanswered},
    stored::Loaded,
};
use crate::{
    BoxError, LoginReference, ProviderSession, Standing, Timestamp,
    cookies::{self, Cookies},
    live::{Checked, Judge, Live, LoginEnd, in_a_while},
    log_limit::LogLimit,
    logout_scope::LogoutScope,
    pending::{Outcome, PendingLogouts, Place},
    session::{self, Keeper, LoginKey, LoginRecord, Renewed, Saving, StoredLogin},
    strangers::Strangers,
    time_limit::{STORE_LIMIT, detached_within, within},
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
    /// The origin of the site, as browsers write it in `Origin`.
    pub(crate) origin: String,
    /// How long a login lasts at the most, however busy it is.
    pub(crate) lifetime: Option<Duration>,
    /// Absent where the application keeps its sessions itself.
    pub(crate) keeper: Option<Arc<Keeper>>,
    /// The name of the cookie that holds the key of the login.
    pub(crate) key_cookie: String,
    /// Where whoever must log in goes: the start route, or a page of the application.
    pub(crate) login_path: String,
    pub(crate) render_rejection: Option<RenderRejection>,
    /// Who wants to hear of the end of a login.
    pub(crate) live: Live,
    /// Limits the log of stores that do not answer.
    pub(crate) unanswered: Arc<LogLimit<Unanswered>>,
}

/// A request on its way through the layer. Asking it who is there costs a load of the
/// session and of the user, the first time.
pub(crate) struct Visit {
    pub(crate) gate: Arc<Gate>,
    /// What the routes need, the same for every request. This room does not know it.
    pub(crate) context: Arc<dyn Any + Send + Sync>,
    answer: OnceCell<Result<Option<Visitor>, Absence>>,
    storing_forbidden: AtomicBool,
    /// The session is looked at and not used: it goes idle all the same.
    only_looks: AtomicBool,
    /// How many logouts this node had heard of when the request came.
    heard: u64,
    pub(crate) saving: Saving,
    /// For the routes that set some; most requests do not come by one.
    cookies: OnceLock<Cookies>,
    pub(super) loaded: Loaded,
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
}

/// Somebody whose login is valid.
pub(crate) struct Visitor {
    pub(crate) login: Login,
    pub(crate) user: AnyUser,
    user_id: String,
    provider_session: Option<ProviderSession>,
    /// How long the login goes on from the check, unless its session is used meanwhile.
    left: Option<Duration>,
}

impl Visitor {
    /// The id that the application knows the user by.
    pub(crate) fn user_id(&self) -> &str {
        &self.user_id
    }
}

impl Visit {
    pub(crate) fn new(gate: Arc<Gate>, context: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            heard: gate.live.heard(),
            gate,
            context,
            answer: OnceCell::new(),
            storing_forbidden: AtomicBool::new(false),
            only_looks: AtomicBool::new(false),
            saving: Saving::default(),
            cookies: OnceLock::new(),
            loaded: Loaded::default(),
        }
    }

    /// The cookies of the request, to read and to change.
    pub(crate) fn cookies(&self, headers: &HeaderMap) -> &Cookies {
        self.cookies.get_or_init(|| Cookies::of(headers))
    }

    /// Puts what the routes changed of them into the answer.
    pub(crate) fn set_cookies(&self, headers: &mut HeaderMap) {
        if let Some(cookies) = self.cookies.get() {
            cookies.set(headers);
        }
    }

    /// Says that the answer holds something good for one person once.
    pub(crate) fn forbid_storing(&self) {
        self.storing_forbidden.store(true, Ordering::Release);
    }

    /// Says that this request is no use of the session. To be said before anybody asks.
    pub(crate) fn only_looks(&self) {
        self.only_looks.store(true, Ordering::Release);
    }

    /// Whether somebody has said so.
    pub(crate) fn is_no_use(&self) -> bool {
        self.only_looks.load(Ordering::Acquire)
    }

    /// Listens for the end of a visitor's login.
    pub(super) fn listen(&self, visitor: &Visitor, session: Option<Id>) -> LoginEnd {
        let gate = &self.gate;
        let checked = Checked {
            user_id: &visitor.user_id,
            subject: visitor.login.subject(),
            provider_session: visitor.provider_session.as_ref(),
            logged_in_at: visitor.login.logged_in_at(),
            session,
            // From here on: the check was a moment ago, and few who are checked listen.
            ends_at: in_a_while(Instant::now(), visitor.left),
            heard: self.heard,
        };
        gate.live.listen(&checked, || Judge {
            users: Arc::clone(&gate.users),
            pending: gate.pending.clone(),
            keeper: gate.keeper.clone(),
            lifetime: gate.lifetime,
        })
    }

    /// What a cache between us and the browser must know of the answer.
    pub(crate) fn storing(&self) -> Storing {
        let somebody = matches!(self.answer.get(), Some(Ok(Some(_))));
        if somebody || self.storing_forbidden.load(Ordering::Acquire) {
            Storing::Forbidden
        } else if self.answer.initialized() {
            Storing::ByCookie
        } else {
            Storing::Free
        }
    }

    /// Who is there. `None`: nobody whose login counts.
    pub(crate) async fn visitor(&self, parts: &Parts) -> Result<Option<&Visitor>, Absence> {
        let answer = self.answer.get_or_init(|| self.look(parts)).await;
        match answer {
            Ok(visitor) => Ok(visitor.as_ref()),
            Err(absence) => Err(absence.clone()),
        }
    }
}

impl Visit {
    async fn look(&self, parts: &Parts) -> Result<Option<Visitor>, Absence> {
        let Some(session) = parts.extensions.get::<Session>() else {
            return Err(Absence::new(
                RejectionKind::LayerMissing,
                "there is no session in the request; is ClefLayer the layer around this route?",
            ));
        };
        // In a box of its own, not in that of the handler: allocators keep small blocks at hand.
        let checked = Box::pin(self.check(session, &parts.headers));
        within(STORE_LIMIT, checked)
            .await
            .map_err(|error| Absence::no_answer(&self.gate, Unanswered::Check, error))
    }

    /// The login in the session, if it is of this layer and this browser. It is loaded past the
    /// session as long as nobody has touched that: it would copy what is in it.
    async fn stored(
        &self,
        session: &Session,
        headers: &HeaderMap,
    ) -> Result<Option<StoredLogin>, BoxError> {
        let admits = |record: &LoginRecord<'_>| self.gate.admits(record, headers);
        if let Some(keeper) = &self.gate.keeper
            && !session.is_modified()
            && self.loaded.is_nothing()
        {
            let Some(id) = session.id() else {
                return Ok(None);
            };
            let record = match keeper.store().load(&id).await {
                Ok(record) => record,
                Err(error) if session::is_no_session(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let login = record.as_ref().map(|r| session::find(&r.data, admits));
            self.loaded.keep(record);
            if let Some(login) = login {
                return Ok(login);
            }
            // It is gone: the session must know, so that its cookie is taken away.
        }
        session::read(session, admits).await
    }

    /// The login of this request, if a logout will end it that is not written yet: other nodes may
    /// serve it.
    ///
    /// # Errors
    ///
    /// When the session store cannot answer.
    pub(crate) async fn owed_a_logout(
        &self,
        parts: &Parts,
    ) -> Result<Option<StoredLogin>, BoxError> {
        let Some(session) = parts.extensions.get::<Session>() else {
            return Ok(None);
        };
        let admits = |record: &LoginRecord<'_>| self.gate.admits(record, &parts.headers);
        let login = within(STORE_LIMIT, session::read(session, admits)).await?;
        let pending = &self.gate.pending;
        Ok(login.filter(|login| pending.contains(&login.subject, login.session.as_ref())))
    }

    /// The check itself. Every way out of it but the last one leads to nobody.
    async fn check(
        &self,
        session: &Session,
        headers: &HeaderMap,
    ) -> Result<Option<Visitor>, BoxError> {
        let Some(login) = self.stored(session, headers).await? else {
            return Ok(None);
        };
        let gate = &self.gate;
        let refused = |reason| Ok(refused(&login.user_id, reason));
        // Before the user is loaded: once a pending logout is written, the load shows it.
        if gate
            .pending
            .contains(&login.subject, login.session.as_ref())
        {
            return refused("a logout of this person is being written");
        }
        let reference = LoginReference::new(&login.user_id, &login.subject)
            .in_session(login.session.as_ref())
            .begun_at(login.logged_in_at);
        let Some(standing) = gate.users.standing(reference).await? else {
            return refused("there is no such user any more");
        };
        let in_session = login.session.is_some();
        let mut left = match standing.left_of(login.logged_in_at, in_session, gate.lifetime) {
            Ok(left) => left,
            Err(over) => return refused(over.reason()),
        };
        let Standing { user, now, .. } = standing;
        if let Some(keeper) = &gate.keeper {
            let Some(mut idle) = keeper.left(&login, now) else {
                return refused("the session has ended meanwhile");
            };
            if !self.is_no_use() && keeper.is_due(&login, now) {
                // In a box: few requests renew, and this would double the future of all.
                match Box::pin(renew(keeper, session.id(), &login, now)).await? {
                    Renewed::Yes(renewed) => {
                        self.loaded.keep(Some(renewed));
                        idle = keeper.idle();
                    }
                    Renewed::Ended => return refused("the session has ended meanwhile"),
                }
            }
            left = left.into_iter().chain([idle]).min();
        }
        let StoredLogin {
            user_id,
            subject,
            session: provider_session,
            logged_in_at,
            ..
        } = login;
        Ok(Some(Visitor {
            login: Login::new(subject, logged_in_at),
            user,
            user_id,
            provider_session,
            left,
        }))
    }
}

/// Renews the session of a login. A client that hangs up does not abort the write.
async fn renew(
    keeper: &Arc<Keeper>,
    id: Option<Id>,
    login: &StoredLogin,
    now: Timestamp,
) -> Result<Renewed, BoxError> {
    let Some(id) = id else {
        return Ok(Renewed::Ended);
    };
    let (keeper, login) = (Arc::clone(keeper), login.clone());
    let renewal = async move { keeper.renew(id, &login, now).await };
    detached_within(STORE_LIMIT, renewal).await
}

impl Gate {
    /// Writes a logout, and tells whoever listens to the logins that it ends.
    pub(crate) async fn write(&self, place: Place, scope: &LogoutScope) -> Outcome {
        let ended = |scope: &LogoutScope| self.live.logged_out(scope);
        let written = place.write(&self.users, &self.strangers, scope, ended);
        written.await
    }

    /// Where whoever must log in goes, with the way back to `next`.
    pub(crate) fn login_for(&self, next: &str) -> String {
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        format!("{}?next={next}", self.login_path)
    }

    /// Whether a login is of this layer and of the browser that makes the request.
    fn admits(&self, record: &LoginRecord<'_>, headers: &HeaderMap) -> bool {
        if !self.realms.iter().any(|realm| *realm == record.realm) {
            refused(&record.user_id, "it is a login of another layer");
            return false;
        }
        let key = cookies::named(headers, &self.key_cookie);
        if !key.is_some_and(|key| LoginKey::fits(key, &record.key)) {
            refused(&record.user_id, "the browser does not hold the login's key");
            return false;
        }
        true
    }
}

fn refused(user: &str, reason: &'static str) -> Option<Visitor> {
    tracing::debug!(?user, reason, "a login is refused");
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

#[cfg(test)]
mod tests {
    use std::mem::size_of_val;

    use axum::{extract::FromRequestParts as _, http::Request};
    use tower_sessions::MemoryStore;

    use super::*;
    use crate::{
        LoggedIn,
        stores::{Account, MemoryUserStore},
    };

    /// glibc keeps freed blocks at hand up to this size, in bytes; each larger one that is freed
    /// has it tidy up.
    const SMALL: usize = 1_032;

    #[test]
    fn the_futures_of_a_check_are_small_blocks() {
        let gate = Gate {
            users: Arc::new(MemoryUserStore::new()),
            pending: PendingLogouts::new(1),
            strangers: Strangers::default(),
            realms: Vec::new(),
            origin: String::new(),
            lifetime: None,
            keeper: None,
            key_cookie: String::new(),
            login_path: String::new(),
            render_rejection: None,
            live: Live::new(),
            unanswered: Arc::default(),
        };
        let visit = Visit::new(Arc::new(gate), Arc::new(()));
        let session = Session::new(None, Arc::new(MemoryStore::default()), None);
        let headers = HeaderMap::new();
        let check = visit.check(&session, &headers);
        assert!(size_of_val(&check) <= SMALL, "{}", size_of_val(&check));

        // It is a part of the handler's, which axum puts into a box.
        let (mut parts, ()) = Request::new(()).into_parts();
        let asks = LoggedIn::<Account>::from_request_parts(&mut parts, &());
        assert!(size_of_val(&asks) <= SMALL / 2, "{}", size_of_val(&asks));
    }
}
