//! One site whose stores and provider hold each call, and what requests do at it.

use std::sync::{Arc, Mutex};

use axum::{Router, http::Method};
use axum_clef::{LoginId, LogoutSignal, Logouts, SessionKey, Sessions, stores::MemoryUserStore};
use futures_util::{FutureExt as _, future::BoxFuture};
use test_support::{
    App, HookedSessions, HookedUsers, ISSUER, Jar, LinkedUsers, MINUTE, TestClock, hook::Count,
    notice,
};
use tower::ServiceExt as _;
use tower_sessions::MemoryStore;

use crate::{
    gated::GatedStores,
    gates::Gates,
    node::{Node, Results},
    trace::Trace,
};

/// The cookie of a login at `World::SITE`.
const LOGIN_COOKIE: &str = "auth-9";

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
    pub trace: Trace,
    /// How many logouts were written.
    pub logouts: Count,
    /// How many logouts fail before one is written.
    pub failures: Count,
    /// How many logouts are written without an answer, after the failures.
    pub lost_answers: Count,
    /// The node that requests go to. The other one has the same stores.
    node: usize,
    nodes: [Node; 2],
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
        self.nodes[self.node].router.clone()
    }
}

impl Scene {
    pub fn new(kind: Kind) -> Self {
        let clock = TestClock::new();
        let gated = GatedStores::default();
        let linked = LinkedUsers::new(clock.users());
        let users = HookedUsers::with(linked.clone(), gated.clone());
        let records = HookedSessions::with(MemoryStore::default(), gated.clone());
        let results = Results::default();
        let nodes = [(); 2].map(|()| {
            let sessions = match kind {
                Kind::Stored => records.clone().into(),
                Kind::Sealed => Sessions::sealed([SessionKey::from_bytes([7; 32])]),
            };
            Node::new(&gated, users.clone(), sessions, &results)
        });
        Self {
            kind,
            gates: gated.gates,
            trace: gated.trace,
            logouts: gated.logouts,
            failures: gated.failures,
            lost_answers: gated.lost_answers,
            node: 0,
            nodes,
            listeners: results.listeners,
            clock,
            linked,
            browser: Browser::default(),
            copy: Browser::default(),
            other: Browser::default(),
            statuses: results.statuses,
            tokens: results.tokens,
            late_tokens: results.late_tokens,
        }
    }

    /// The same scene, whose requests go to the other node.
    pub fn elsewhere(&self) -> Self {
        Self {
            node: 1 - self.node,
            ..self.clone()
        }
    }

    fn application(&self) -> &Logouts {
        &self.nodes[self.node].application
    }

    /// Logs the browser in, and traces what happens from then on, for `sessions.pml`.
    pub async fn log_in_and_follow(&mut self) {
        self.log_in_as_process("alex").await;
        self.trace.follow(match self.kind {
            Kind::Stored => "sessions.pml",
            Kind::Sealed => "sessions.pml SEALED",
        });
    }

    /// Logs the browser in, and the other one if `both`, and traces what happens from then on, for
    /// `other_logins.pml`.
    pub async fn log_in_and_follow_others(&mut self, person: &str, both: bool) {
        self.log_in_as_process(person).await;
        if both {
            let login = self.other.log_in(self, person);
            self.trace.process("Login1", login).await;
        }
        self.trace.follow(match self.kind {
            Kind::Stored => "other_logins.pml STORED",
            Kind::Sealed => "other_logins.pml",
        });
    }

    async fn log_in_as_process(&mut self, person: &str) {
        let trace = self.trace.clone();
        trace.process("Login0", self.log_in(person)).await;
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
        self.trace.step(&format!("at{}", self.node));
        let status = match token {
            "everyone" | "issuer" => {
                self.trace.step("begin");
                let ended = match token {
                    "everyone" => self.application().log_out_everyone().await,
                    _ => self.application().log_out_issuer(ISSUER).await,
                };
                ended.map_or(503, |()| 200)
            }
            _ => self.send_token(token).await,
        };
        self.trace.step(&status.to_string());
        status
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
        self.trace.step(&format!("at{}", self.node));
        self.trace.sends(Some(&token.to_owned()));
        let mut request = Jar::default().request(method, path);
        let headers = request.headers_mut();
        headers.insert("authorization", token.parse().unwrap());
        let response = self.app().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        self.trace.step(&status.to_string());
        status
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
                true => scene
                    .application()
                    .end_login(id)
                    .await
                    .map(|()| 204)
                    .unwrap(),
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
        let request = {
            let jar = self.0.lock().unwrap();
            scene.trace.step(&format!("at{}", scene.node));
            scene.trace.sends(jar.cookies.get(LOGIN_COOKIE));
            jar.request(method, path)
        };
        let response = scene.app().oneshot(request).await.unwrap();
        {
            let mut jar = self.0.lock().unwrap();
            let before = jar.cookies.get(LOGIN_COOKIE).cloned();
            jar.take(response.headers());
            let login = jar.cookies.get(LOGIN_COOKIE);
            if login != before.as_ref() {
                scene.trace.receives(login);
            }
        }
        let status = response.status().as_u16();
        scene.trace.step(&status.to_string());
        status
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
