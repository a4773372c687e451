//! One site: its stores and provider hold each call before they answer it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::FromRequestParts as _,
    http::{Request, header, request::Parts},
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, IdentityStore, LoggedIn, LoginCheck, LoginReference, LogoutSignal,
    Profile, ProviderSession, RevocationKey, SessionKey, SessionStore, Sessions, Subject,
    Timestamp, UserStore,
    clef::Clef,
    provider::{
        CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome, LogoutScope,
        Provider, ProviderError, ProviderErrorKind, ProviderLogin,
    },
    stores::{Account, MemoryUserStore},
};
use secrecy::{ExposeSecret as _, SecretString};
use tower::ServiceExt as _;
use tower_sessions::{
    MemoryStore,
    session::{Id, Record},
    session_store,
};
use url::Url;

use crate::gates::Gates;

const ISSUER: &str = "https://clef.test";

/// Where logins are kept.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Stored,
    Sealed,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Stored, Self::Sealed];
}

#[derive(Clone)]
pub struct World {
    pub gates: Gates,
    pub users: HeldUsers,
    pub router: Router,
    /// Of the requests of `/listen`.
    pub listeners: Arc<Mutex<Vec<LogoutSignal>>>,
    clock: Arc<AtomicI64>,
}

impl World {
    pub fn new(kind: Kind) -> Self {
        let gates = Gates::default();
        let clock = Arc::new(AtomicI64::new(Timestamp::now().as_micros()));
        let reads = Arc::clone(&clock);
        // A microsecond later at every look.
        let inner = MemoryUserStore::new()
            .with_clock(move || Timestamp::from_micros(reads.fetch_add(1, SeqCst)));
        let users = HeldUsers {
            inner,
            gates: gates.clone(),
            logouts: Arc::default(),
            failures: Arc::default(),
        };
        let sessions = match kind {
            Kind::Stored => Sessions::stored(HeldSessions {
                inner: MemoryStore::default(),
                gates: gates.clone(),
            }),
            Kind::Sealed => Sessions::sealed([SessionKey::from_bytes([7; 32])]),
        };
        let provider = HeldProvider(gates.clone());
        let layer = ClefLayer::builder("http://127.0.0.1:9", users.clone(), sessions)
            .provider(provider)
            .build()
            .unwrap();
        let slow = gates.clone();
        let late = gates.clone();
        let listeners = Arc::<Mutex<Vec<LogoutSignal>>>::default();
        let listening = Arc::clone(&listeners);
        let router = Router::new()
            .route("/account", get(|_: LoggedIn<Account>| async {}))
            .route(
                "/work",
                post(|_: Option<LoggedIn<Account>>| async move {
                    slow.pass("the handler goes on").await;
                }),
            )
            .route(
                "/listen",
                get(|_: LoggedIn<Account>, mut parts: Parts| async move {
                    late.pass("a handler begins to listen").await;
                    let end = LogoutSignal::from_request_parts(&mut parts, &()).await;
                    listening.lock().unwrap().push(end.unwrap());
                }),
            )
            .merge(layer.routes())
            .layer(layer);
        Self {
            gates,
            users,
            router,
            listeners,
            clock,
        }
    }

    /// Moves the clock of the users on, so that the next request renews its login.
    pub fn until_renewals_are_due(&self) {
        let hours = Duration::from_secs(2 * 60 * 60).as_micros();
        self.clock.fetch_add(i64::try_from(hours).unwrap(), SeqCst);
    }

    /// Sends a logout notice. Gives the status.
    pub async fn notice(&self, token: &str) -> u16 {
        let request = Request::post("/clef/logout")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("logout_token={token}")));
        let response = self.router.clone().oneshot(request.unwrap()).await;
        response.unwrap().status().as_u16()
    }
}

/// A browser: a jar of cookies, shared by its tabs.
#[derive(Clone, Default)]
pub struct Browser(Arc<Mutex<BTreeMap<String, String>>>);

impl Browser {
    /// Sends a request with the cookies of now, and takes those of the answer when it arrives.
    /// Gives status and location.
    pub async fn send(&self, world: &World, method: &str, path: &str) -> (u16, String) {
        let cookies: Vec<_> = {
            let jar = self.0.lock().unwrap();
            jar.iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookies.join("; "))
            .body(Body::empty());
        let response = world
            .router
            .clone()
            .oneshot(request.unwrap())
            .await
            .unwrap();
        let headers = response.headers();
        let mut jar = self.0.lock().unwrap();
        for cookie in headers.get_all(header::SET_COOKIE) {
            let mut parts = cookie.to_str().unwrap().split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            if value.is_empty() || parts.any(|attribute| attribute == "Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = headers.get(header::LOCATION);
        let location = location.map(|location| location.to_str().unwrap().to_owned());
        (response.status().as_u16(), location.unwrap_or_default())
    }

    /// Another one with the same cookies.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    /// Begins a login, up to the callback. Gives its path and query.
    pub async fn start(&self, world: &World, code: &str) -> String {
        let (_, location) = self.send(world, "GET", "/clef/login").await;
        let (_, state) = location.split_once('?').unwrap();
        format!("/clef/callback?code={code}&state={state}")
    }

    pub async fn log_in(&self, world: &World, code: &str) {
        let callback = self.start(world, code).await;
        assert_eq!(self.send(world, "GET", &callback).await.0, 303);
    }

    pub async fn is_served(&self, world: &World) -> bool {
        match self.send(world, "GET", "/account").await.0 {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }
}

/// What is read is read before the wait: the reader may hold what has changed since.
#[derive(Clone)]
pub struct HeldUsers {
    pub inner: MemoryUserStore,
    gates: Gates,
    /// How many logouts were written.
    pub logouts: Arc<AtomicUsize>,
    /// How many logouts fail before one is written.
    pub failures: Arc<AtomicUsize>,
}

impl HeldUsers {
    /// Before the effect of a logout, or its failure; after it, its answer is still to come.
    async fn log_out<T>(
        &self,
        what: &str,
        effect: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, BoxError> {
        self.gates.pass(&format!("{what} reaches the store")).await;
        let fails = self
            .failures
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if fails.is_ok() {
            return Err("the store fails".into());
        }
        let answer = effect.await?;
        self.logouts.fetch_add(1, SeqCst);
        self.gates.pass(&format!("the store answers {what}")).await;
        Ok(answer)
    }
}

impl UserStore for HeldUsers {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let user = self.inner.load(id).await?;
        self.gates.pass("the store answers the load").await;
        Ok(user)
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let user = self.inner.log_in(id).await?;
        self.gates.pass("the store answers the login").await;
        Ok(user)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.log_out("the logout", self.inner.log_out(id)).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.inner.now().await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        let check = self.inner.check_login(login).await?;
        self.gates.pass("the store answers the check").await;
        Ok(check)
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let what = match keys {
            [RevocationKey::Login(_)] => "the end of a login",
            [RevocationKey::UnknownSubject(_)] => "the note of an unknown subject",
            _ => "the logout",
        };
        self.log_out(what, self.inner.revoke(keys, keep_until))
            .await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        let revoked_at = self.inner.revoked_at(key).await?;
        self.gates.pass("a revocation is looked up").await;
        Ok(revoked_at)
    }
}

impl IdentityStore for HeldUsers {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let user = self.inner.find_or_create(profile).await?;
        self.gates.pass("the store finds the user").await;
        Ok(user)
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.log_out("the logout", self.inner.log_out_subject(subject))
            .await
    }
}

/// Records that are upserted when they are saved.
#[derive(Debug, Clone)]
struct HeldSessions {
    inner: MemoryStore,
    gates: Gates,
}

#[async_trait]
impl SessionStore for HeldSessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.gates.pass("the record is created").await;
        self.inner.create(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.gates.pass("the record is saved").await;
        self.inner.save(record).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let record = self.inner.load(id).await?;
        self.gates.pass("the record is read").await;
        Ok(record)
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.gates.pass("the record is deleted").await;
        self.inner.delete(id).await
    }
}

/// The code `alex` is Alex, `alex:home` Alex in a session of the provider's, and so are logout
/// tokens; what follows a `!` tells one token from another.
struct HeldProvider(Gates);

fn read(text: &str) -> Result<(Subject, Option<ProviderSession>), ProviderError> {
    let text = text.split('!').next().unwrap_or_default();
    if text.is_empty() {
        return Err(ProviderError::new(ProviderErrorKind::Refused, "not good"));
    }
    let (person, session) = match text.split_once(':') {
        Some((person, session)) => (person, Some(ProviderSession::new(ISSUER, session))),
        None => (text, None),
    };
    Ok((Subject::new(ISSUER, person), session))
}

#[async_trait]
impl Provider for HeldProvider {
    fn name(&self) -> &str {
        "Clef"
    }

    fn names_sessions(&self) -> bool {
        true
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let mut url = Url::parse("https://clef.test/login").unwrap();
        url.set_query(Some(login.state.expose()));
        Ok(url)
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        self.0.pass("the code is exchanged").await;
        let (person, session) = read(code.code.expose_secret())?;
        let login = ProviderLogin::new(Profile::new(person));
        Ok(match session {
            Some(session) => login.in_session(session),
            None => login,
        })
    }

    async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
        self.0.pass("the notice is checked").await;
        let (person, session) = read(token.expose_secret())?;
        Ok(LogoutNotice::new(match session {
            Some(session) => LogoutScope::session(session, Some(person)),
            None => LogoutScope::Person(person),
        }))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}
