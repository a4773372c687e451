//! A site whose time is turned, browsers without sockets, and what they leave open.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, BodyDataStream, to_bytes},
    extract::FromRequestParts as _,
    http::{HeaderMap, Request, request::Parts},
    response::Response,
    routing::get,
};
use axum_clef::{
    ClefLayer, ClefLayerBuilder, LoggedIn, Login, LogoutSignal, UserStore, stores::Account,
};
use futures_util::StreamExt as _;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::support::World;

/// For what never comes; the time is turned.
pub const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

/// One process of the site.
pub struct Node {
    pub app: Router,
    pub layer: ClefLayer,
    world: World,
    ends: Arc<Mutex<Vec<LogoutSignal>>>,
}

impl Node {
    pub fn of(world: &World) -> Self {
        Self::with(world, world.builder())
    }

    /// With these settings.
    pub fn with<S: UserStore>(world: &World, builder: ClefLayerBuilder<S>) -> Self {
        Self::over(world, builder.build().unwrap())
    }

    pub fn over(world: &World, layer: ClefLayer) -> Self {
        let ends = Arc::<Mutex<Vec<LogoutSignal>>>::default();
        let (kept, kept_late) = (Arc::clone(&ends), Arc::clone(&ends));
        let late = world.slow.clone();
        let routes = layer
            .routes()
            .route(
                "/end",
                get(move |end: LogoutSignal| async move { kept.lock().unwrap().push(end) }),
            )
            // Listens some time after it was checked who is there.
            .route(
                "/late",
                get(move |_: LoggedIn<Account>, mut parts: Parts| async move {
                    late.here().await;
                    let end = LogoutSignal::from_request_parts(&mut parts, &()).await;
                    kept_late.lock().unwrap().push(end.unwrap());
                }),
            )
            .route(
                "/perhaps",
                get(|end: Option<LogoutSignal>| async move { end.is_some().to_string() }),
            )
            .route(
                "/id",
                get(|login: Login| async move { login.id().to_string() }),
            );
        Self {
            app: world.pages(routes).layer(layer.clone()),
            layer,
            world: world.clone(),
            ends,
        }
    }

    /// The end of this browser's login, as a handler has it.
    pub async fn end(&self, browser: &mut Browser) -> LogoutSignal {
        assert_eq!(browser.status(self, "/end").await, 200);
        self.taken()
    }

    /// What the handler has that listened last.
    pub fn taken(&self) -> LogoutSignal {
        self.ends.lock().unwrap().pop().unwrap()
    }

    /// A logout notice; its status.
    pub async fn notice(&self, token: &str) -> u16 {
        let request = Request::post("/clef/logout")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("logout_token={token}")))
            .unwrap();
        self.send(request).await.status().as_u16()
    }

    /// Sends a request, in a task of its own as a server does.
    pub async fn send(&self, request: Request<Body>) -> Response {
        let answer = tokio::spawn(self.app.clone().oneshot(request));
        answer.await.expect("a panic").unwrap()
    }

    /// Time passes, at the stores and here.
    pub async fn pass(&self, time: Duration) {
        let end = Instant::now() + time;
        while let left = end.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            let step = left.min(Duration::from_secs(1));
            self.world.clock.advance(step.as_micros() as i64);
            tokio::time::sleep(step).await;
        }
    }
}

#[derive(Clone, Default)]
pub struct Browser(BTreeMap<String, String>);

impl Browser {
    /// Of a person who has logged in.
    pub async fn of(node: &Node, code: &str) -> Self {
        let mut browser = Self::default();
        browser.log_in(node, code).await;
        browser
    }

    pub async fn log_in(&mut self, node: &Node, code: &str) {
        let begun = self.get(node, "/clef/login").await;
        let location = begun.headers()["location"].to_str().unwrap();
        let (_, state) = location.rsplit_once("state=").unwrap();
        let callback = format!("/clef/callback?code={code}&state={state}");
        let answer = self.get(node, &callback).await;
        assert_eq!(answer.status(), 303, "the login of {code}");
    }

    pub async fn get(&mut self, node: &Node, path: &str) -> Response {
        self.send(node, Request::get(path)).await
    }

    pub async fn post(&mut self, node: &Node, path: &str) -> Response {
        self.send(node, Request::post(path)).await
    }

    pub async fn status(&mut self, node: &Node, path: &str) -> u16 {
        self.get(node, path).await.status().as_u16()
    }

    /// Opens a page that listens.
    pub async fn open(&mut self, node: &Node) -> Page {
        Page::of(self.get(node, "/auth/live").await)
    }

    /// As they go out with a request.
    pub fn cookies(&self) -> String {
        let cookies: Vec<_> = self.0.iter().map(|(n, v)| format!("{n}={v}")).collect();
        cookies.join("; ")
    }

    /// The request with this browser's cookies.
    pub fn request(&self, request: axum::http::request::Builder) -> Request<Body> {
        let request = request.header("cookie", self.cookies());
        request.body(Body::empty()).unwrap()
    }

    pub async fn send(&mut self, node: &Node, request: axum::http::request::Builder) -> Response {
        let answer = node.send(self.request(request)).await;
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// An open page that listens.
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    body: BodyDataStream,
    /// All that came.
    pub text: String,
}

impl Page {
    pub fn of(answer: Response) -> Self {
        let (parts, body) = answer.into_parts();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event, or `None` at the end. Signs of life are none.
    pub async fn event(&mut self) -> Option<String> {
        let next = tokio::time::timeout(PATIENCE, self.next());
        next.await.expect("nothing comes")
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            let sent = self.body.next().await?.unwrap();
            let sent = String::from_utf8(sent.to_vec()).unwrap();
            self.text += &sent;
            let mut lines = sent.lines();
            match lines.find_map(|line| line.strip_prefix("event: ")) {
                None | Some("alive") => {}
                Some(event) => return Some(event.to_owned()),
            }
        }
    }

    /// It was told that the login counts.
    pub async fn is_in(&mut self) {
        assert_eq!(self.status, 200);
        assert_eq!(self.event().await.as_deref(), Some("logged-in"));
    }

    /// It is told now that the login has ended, and that is all.
    pub async fn hears_at_once(&mut self) {
        let begun = Instant::now();
        assert_eq!(self.event().await.as_deref(), Some("logged-out"));
        assert_eq!(self.event().await, None);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    /// Its connection is broken off now.
    pub async fn breaks_off(&mut self) {
        let next = tokio::time::timeout(PATIENCE, self.body.next());
        let sent = next.await.expect("nothing comes");
        assert!(sent.is_some_and(|sent| sent.is_err()));
    }

    /// It is told nothing for so long.
    pub async fn hears_nothing_within(&mut self, time: Duration) {
        let event = tokio::time::timeout(time, self.event()).await;
        assert!(event.is_err(), "{event:?}");
    }
}

/// The whole text of an answer.
pub async fn text(answer: Response) -> String {
    let body = to_bytes(answer.into_body(), 100_000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}
