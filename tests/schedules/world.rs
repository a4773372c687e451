//! One site whose stores and provider hold each call, and what requests do at it.

use std::sync::{Arc, Mutex, atomic::Ordering::SeqCst};

use axum::{
    Router,
    extract::FromRequestParts as _,
    http::{Method, request::Parts},
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, LoggedIn, LoginId, LogoutSignal, Logouts, NewToken, NewTokenError, OtherLogins,
    RevocationKey, SessionKey, Sessions,
    secrecy::ExposeSecret as _,
    stores::{Account, MemoryUserStore},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use test_support::{
    About, App, Asked, Call, Hook, HookedSessions, HookedUsers, ISSUER, Jar, LinkedUsers, MINUTE,
    ScriptedProvider, TestClock, World,
    hook::{Count, Done, StoreError, Work},
    notice,
};
use tower::ServiceExt as _;
use tower_sessions::MemoryStore;

use crate::gates::Gates;

/// Where logins are kept.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Stored,
    Sealed,
}

impl Kind {
    pub const ALL: &[Self] = &[Self::Stored, Self::Sealed];
    pub const STORED: &[Self] = &[Self::Stored];
}

/// A request or several, one after the other.
pub type Actor = BoxFuture<'static, ()>;

/// A site, its browsers, and the statuses of the answers so far.
#[derive(Clone)]
pub struct Scene {
    pub kind: Kind,
    pub gates: Gates,
    /// How many logouts were written.
    pub logouts: Count,
    /// How many logouts fail before one is written.
    pub failures: Count,
    router: Router,
    application: Logouts,
    /// Of the requests of `/listen`.
    pub listeners: Arc<Mutex<Vec<LogoutSignal>>>,
    clock: TestClock,
    /// What identities are linked to.
    pub linked: LinkedUsers<MemoryUserStore>,
    pub browser: Browser,
    /// Has the cookies that the browser had after its login.
    pub copy: Browser,
    pub other: Browser,
    statuses: Arc<Mutex<Vec<u16>>>,
    /// The tokens that were made: what a program sends, and their ids.
    tokens: Arc<Mutex<Vec<(String, LoginId)>>>,
    /// How many tokens were asked for once a logout or a sign-out was answered.
    pub late_tokens: Count,
}

impl App for Scene {
    fn app(&self) -> Router {
        self.router.clone()
    }
}

impl Scene {
    pub fn new(kind: Kind) -> Self {
        let gates = Gates::default();
        let clock = TestClock::new();
        let gated = Gated {
            gates: gates.clone(),
            logouts: Count::default(),
            failures: Count::default(),
        };
        let linked = LinkedUsers::new(clock.users());
        let users = HookedUsers::with(linked.clone(), gated.clone());
        let sessions = match kind {
            Kind::Stored => HookedSessions::with(MemoryStore::default(), gated.clone()).into(),
            Kind::Sealed => Sessions::sealed([SessionKey::from_bytes([7; 32])]),
        };
        let layer = ClefLayer::builder(World::SITE, users, sessions);
        let layer = layer.provider(provider(&gates));
        let keys = [SessionKey::from_bytes([8; 32])];
        let layer = layer.bearer_tokens(keys).build().unwrap();
        let (slow, late, minting) = (gates.clone(), gates.clone(), gates.clone());
        let tokens = Arc::<Mutex<Vec<_>>>::default();
        let minted = Arc::clone(&tokens);
        let statuses = Arc::<Mutex<Vec<u16>>>::default();
        let late_tokens = Count::default();
        let (answered, made_late) = (Arc::clone(&statuses), Arc::clone(&late_tokens));
        let application = layer.logouts();
        let listeners = Arc::<Mutex<Vec<LogoutSignal>>>::default();
        let listening = Arc::clone(&listeners);
        let router = Router::new()
            .route("/account", get(|_: LoggedIn<Account>| async {}))
            .route(
                "/others",
                post(|others: OtherLogins| async move { others.log_out().await }),
            )
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
            .route(
                "/new-token",
                post(|token: NewToken| async move {
                    minting.pass("the handler asks for the token").await;
                    let is_late = !answered.lock().unwrap().is_empty();
                    let token = token.mint("laptop").await?;
                    made_late.fetch_add(usize::from(is_late), SeqCst);
                    let header = format!("Bearer {}", token.secret().expose_secret());
                    minted.lock().unwrap().push((header, token.id()));
                    Ok::<_, NewTokenError>(())
                }),
            )
            .merge(layer.routes())
            .layer(layer);
        Self {
            kind,
            gates,
            logouts: gated.logouts,
            failures: gated.failures,
            router,
            application,
            listeners,
            clock,
            linked,
            browser: Browser::default(),
            copy: Browser::default(),
            other: Browser::default(),
            statuses,
            tokens,
            late_tokens,
        }
    }

    /// Logs the browser in, and copies its cookies.
    pub async fn log_in(&mut self, person: &str) {
        self.browser.log_in(self, person).await;
        self.copy = self.browser.copy();
    }

    /// Moves the clock of the users on, so that the next request renews its login.
    pub fn until_renewals_are_due(&self) {
        self.clock.advance(2 * 60 * MINUTE);
    }

    /// The statuses of notices, sign-outs and callbacks, in the order of their answers.
    pub fn statuses(&self) -> Vec<u16> {
        self.statuses.lock().unwrap().clone()
    }

    /// Sends a logout notice: `alex` for the person, `alex:home` for one session, and anything
    /// after a `!`. `everyone` and `issuer` end all logins, by a handler of the application.
    pub async fn send_notice(&self, token: &str) -> u16 {
        let ended = match token {
            "everyone" => self.application.log_out_everyone().await,
            "issuer" => self.application.log_out_issuer(ISSUER).await,
            _ => return self.send_token(token).await,
        };
        ended.map_or(503, |()| 200)
    }

    async fn send_token(&self, token: &str) -> u16 {
        let (token, id) = token.split_once('!').unwrap_or((token, ""));
        let token = match token.split_once(':') {
            Some((person, session)) => format!("session:{session}:of:{person}:{id}"),
            None => format!("token:{token}:{id}"),
        };
        notice(self, &token).await
    }

    pub fn notice(&self, token: &'static str) -> Actor {
        let scene = self.clone();
        async move {
            let status = scene.send_notice(token).await;
            scene.statuses.lock().unwrap().push(status);
        }
        .boxed()
    }

    /// A request whose status is recorded.
    pub fn request(&self, browser: &Browser, method: Method, path: &str) -> Actor {
        let (scene, browser, path) = (self.clone(), browser.clone(), path.to_owned());
        async move {
            let status = browser.send(&scene, method, &path).await;
            scene.statuses.lock().unwrap().push(status);
        }
        .boxed()
    }

    /// Ends every login of the user but this browser's.
    pub fn log_out_others(&self, browser: &Browser) -> Actor {
        self.request(browser, Method::POST, "/others")
    }

    pub fn sign_out(&self, browser: &Browser) -> Actor {
        self.request(browser, Method::POST, "/auth/sign-out")
    }

    /// A request of a page, whose status is not recorded.
    pub fn visit(&self, browser: &Browser, method: Method, path: &'static str) -> Actor {
        let (scene, browser) = (self.clone(), browser.clone());
        async move {
            browser.send(&scene, method, path).await;
        }
        .boxed()
    }

    /// A request that is under way, and renews its login.
    pub fn work(&self) -> Actor {
        self.until_renewals_are_due();
        self.visit(&self.browser, Method::POST, "/work")
    }

    /// A request that must not be served once a notice or a sign-out was answered.
    pub fn ask(&self, browser: &Browser) -> Actor {
        let (scene, browser) = (self.clone(), browser.clone());
        async move {
            scene.gates.pass("a browser asks").await;
            let answered = !scene.statuses().is_empty();
            let served = browser.is_served(&scene).await;
            assert!(!(answered && served), "the logout was answered before");
        }
        .boxed()
    }

    /// Makes a token in the browser.
    pub async fn mint(&self) {
        let status = self.browser.send(self, Method::POST, "/new-token").await;
        assert_eq!(status, 200);
    }

    /// The tokens that were made so far.
    pub fn tokens(&self) -> Vec<(String, LoginId)> {
        self.tokens.lock().unwrap().clone()
    }

    /// Sends a request with a token and no cookie. Returns the status.
    pub async fn request_with_token(&self, token: &str, method: Method, path: &str) -> u16 {
        let mut request = Jar::default().request(method, path);
        let headers = request.headers_mut();
        headers.insert("authorization", token.parse().unwrap());
        let response = self.app().oneshot(request).await.unwrap();
        response.status().as_u16()
    }

    pub async fn serves_token(&self, token: &str) -> bool {
        match self
            .request_with_token(token, Method::GET, "/account")
            .await
        {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }

    /// A request with a token that must not be served once its end was answered.
    pub fn ask_with_token(&self, token: &str) -> Actor {
        let (scene, token) = (self.clone(), token.to_owned());
        async move {
            scene.gates.pass("a program asks").await;
            let answered = !scene.statuses().is_empty();
            let served = scene.serves_token(&token).await;
            assert!(!(answered && served), "its end was answered before");
        }
        .boxed()
    }

    /// Ends a token by its id, or as the program that has it.
    pub fn end_token(&self, (token, id): (String, LoginId), by_id: bool) -> Actor {
        let scene = self.clone();
        async move {
            let status = match by_id {
                true => scene.application.end_login(id).await.map(|()| 204).unwrap(),
                false => {
                    let path = "/auth/sign-out";
                    scene.request_with_token(&token, Method::POST, path).await
                }
            };
            scene.statuses.lock().unwrap().push(status);
        }
        .boxed()
    }

    /// A request that must be served.
    pub fn stay(&self, browser: &Browser) -> Actor {
        let (scene, browser) = (self.clone(), browser.clone());
        async move { assert!(browser.is_served(&scene).await, "it stays logged in") }.boxed()
    }

    #[track_caller]
    pub fn serves(&self, browser: &Browser) -> impl Future<Output = bool> {
        browser.is_served(self)
    }

    /// The browser can log in again.
    pub async fn assert_new_login_works(&self, person: &str) {
        self.browser.log_in(self, person).await;
        assert!(self.browser.is_served(self).await, "a new login works");
    }
}

/// A browser: a jar of cookies, shared by its tabs.
#[derive(Clone, Default)]
pub struct Browser(Arc<Mutex<Jar>>);

impl Browser {
    /// Sends a request with the cookies of now, and takes those of the answer when it arrives.
    pub async fn send(&self, scene: &Scene, method: Method, path: &str) -> u16 {
        let request = self.0.lock().unwrap().request(method, path);
        let response = scene.app().oneshot(request).await.unwrap();
        self.0.lock().unwrap().take(response.headers());
        response.status().as_u16()
    }

    /// Another one with the same cookies.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    /// Begins a login of `alex`, or of `alex:home` in a session. Returns the callback.
    pub async fn start(&self, scene: &Scene, person: &str) -> String {
        let mut jar = self.0.lock().unwrap().clone();
        let callback = jar.begin(scene, &person.replace(':', ":sid:")).await;
        *self.0.lock().unwrap() = jar;
        callback
    }

    /// Begins to link an identity of this person. Returns the callback.
    pub async fn start_link(&self, scene: &Scene, person: &str) -> String {
        let mut jar = self.0.lock().unwrap().clone();
        let callback = jar.begin_link(scene, person).await;
        *self.0.lock().unwrap() = jar;
        callback
    }

    pub async fn log_in(&self, scene: &Scene, person: &str) {
        let callback = self.start(scene, person).await;
        assert_eq!(self.send(scene, Method::GET, &callback).await, 303);
    }

    pub async fn is_served(&self, scene: &Scene) -> bool {
        match self.send(scene, Method::GET, "/account").await {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }
}

/// What is read is read before the wait, so the reader may hold what has changed since.
#[derive(Clone)]
struct Gated {
    gates: Gates,
    logouts: Count,
    failures: Count,
}

impl Hook for Gated {
    async fn around<T: Send>(&self, call: Call, about: About<'_>, work: impl Work<T>) -> Done<T> {
        let logout = match (call, about) {
            (Call::Revoke, About::Keys([RevocationKey::Login(_)], _)) => "the end of a login",
            (Call::Revoke, About::Keys([RevocationKey::UnknownSubject(_)], _)) => {
                "the note of an unknown subject"
            }
            (Call::LogOutOthers, _) => "the logout of all others",
            (Call::Revoke | Call::LogOut | Call::LogOutSubject, _) => "the logout",
            (Call::Link, _) => return self.before("the identity is linked", work).await,
            (Call::Create, _) => return self.before("the record is created", work).await,
            (Call::Save, _) => return self.before("the record is saved", work).await,
            (Call::Delete, _) => return self.before("the record is deleted", work).await,
            (Call::LoadSession, _) => return self.after(work, "the record is read").await,
            (Call::LoadUser, _) => return self.after(work, "the store answers the load").await,
            (Call::LogIn, _) => return self.after(work, "the store answers the login").await,
            (Call::CheckLogin, _) => return self.after(work, "the store answers the check").await,
            (Call::RevokedAt, _) => return self.after(work, "a revocation is looked up").await,
            (Call::FindOrCreate, _) => return self.after(work, "the store finds the user").await,
            (Call::UsersOf, _) => return self.after(work, "the store names the users").await,
            (Call::Now, _) => return work.await,
        };
        // Before the effect of a logout, or its failure; after it, its answer is still to come.
        self.gates
            .pass(&format!("{logout} reaches the store"))
            .await;
        let fails = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(SeqCst, SeqCst, fails).is_ok() {
            return Err(StoreError::down("the store fails"));
        }
        let answer = work.await?;
        self.logouts.fetch_add(1, SeqCst);
        self.gates
            .pass(&format!("the store answers {logout}"))
            .await;
        Ok(answer)
    }
}

impl Gated {
    async fn before<T>(&self, place: &str, work: impl Future<Output = T>) -> T {
        self.gates.pass(place).await;
        work.await
    }

    async fn after<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        place: &str,
    ) -> Result<T, E> {
        let answer = work.await?;
        self.gates.pass(place).await;
        Ok(answer)
    }
}

fn provider(gates: &Gates) -> ScriptedProvider {
    let gates = gates.clone();
    let provider = ScriptedProvider::default().with_step(move |asked, _| {
        let gates = gates.clone();
        async move {
            match asked {
                Asked::Exchange => gates.pass("the code is exchanged").await,
                Asked::Notice => gates.pass("the notice is checked").await,
                Asked::LoginUrl | Asked::SignOutUrl => {}
            }
            Ok(())
        }
    });
    provider.names_sessions.store(true, SeqCst);
    provider
}
