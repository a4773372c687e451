//! A site whose time is turned, and what browsers leave open at it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, BodyDataStream},
    extract::FromRequestParts as _,
    http::{HeaderMap, Method, Response, request::Parts},
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, ClefLayerBuilder, LoggedIn, Login, LogoutReason, LogoutSignal, OtherLogins,
    OtherLoginsError, UserStore, stores::Account,
};
use futures_util::StreamExt as _;
use test_support::{App, Jar, World};
use tokio::{task::JoinHandle, time::Instant};

/// For what never comes; the time is turned.
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);
pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(60 * 60);
/// The default interval between two questions.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// One process of the site.
pub struct Node {
    app: Router,
    pub layer: ClefLayer,
    pub world: World,
    ends: Arc<Mutex<Vec<LogoutSignal>>>,
}

impl App for Node {
    fn app(&self) -> Router {
        self.app.clone()
    }
}

impl Node {
    /// The only node of a new site.
    pub fn new() -> Self {
        Self::of(&World::new())
    }

    pub fn of(world: &World) -> Self {
        Self::with(world, world.builder())
    }

    /// The only nodes of two sites, with logins in a store and in cookies.
    pub fn both() -> [(&'static str, Self); 2] {
        let world = World::new();
        let of = |sessions| {
            let world = World::new();
            Self::with(&world, world.builder_over(sessions))
        };
        let stored = Self::of(&world);
        [("stored", stored), ("sealed", of(world.sealed()))]
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
            .route("/others", post(log_out_others))
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

    /// A browser of this person.
    pub async fn logged_in(&self, person: &str) -> Jar {
        Jar::logged_in(self, person).await
    }

    /// A new login of this person, and its end as a handler has it.
    pub async fn login(&self, person: &str) -> (Jar, LogoutSignal) {
        let mut browser = self.logged_in(person).await;
        let end = self.end(&mut browser).await;
        (browser, end)
    }

    /// The end of this browser's login, as a handler has it.
    pub async fn end(&self, browser: &mut Jar) -> LogoutSignal {
        assert_eq!(browser.status(self, "/end").await, 200);
        self.taken()
    }

    /// What the handler has that listened last.
    pub fn taken(&self) -> LogoutSignal {
        self.ends.lock().unwrap().pop().unwrap()
    }

    /// Begins a request that is checked, and waits before it listens.
    pub async fn listen_late(&self, browser: &Jar) -> JoinHandle<Response<Body>> {
        self.world.slow.set();
        let (app, browser) = (self.app(), browser.clone());
        let late = tokio::spawn(async move { browser.ask(&app, Method::GET, "/late").await });
        self.world.slow.reached().await;
        late
    }

    /// Lets that request go on to its end.
    pub async fn go_on(&self, late: JoinHandle<Response<Body>>) {
        self.world.slow.go();
        assert_eq!(late.await.unwrap().status(), 200);
    }

    /// Opens a page that listens.
    pub async fn open(&self, browser: &mut Jar) -> Page {
        Page::of(browser.get(self, "/auth/live").await)
    }

    /// Opens a page, which is told that the login counts.
    pub async fn page(&self, browser: &mut Jar) -> Page {
        let mut page = self.open(browser).await;
        page.is_in().await;
        page
    }

    /// A logout notice; its status.
    pub async fn notice(&self, token: &str) -> u16 {
        test_support::notice(self, token).await
    }

    /// Time passes, at the stores and here.
    pub async fn pass(&self, time: Duration) {
        let end = Instant::now() + time;
        while let left = end.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            let step = left.min(SECOND);
            self.world.clock.advance_by(step);
            tokio::time::sleep(step).await;
        }
    }
}

async fn log_out_others(others: OtherLogins) -> Result<(), OtherLoginsError> {
    others.log_out().await
}

/// Awaits an end that is there, or nearly.
pub async fn ending(end: LogoutSignal) -> LogoutReason {
    let begun = Instant::now();
    let ending = tokio::time::timeout(PATIENCE, end).await;
    let ending = ending.expect("it never ends");
    assert!(begun.elapsed() <= Duration::from_millis(1));
    ending
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
    pub fn of(answer: Response<Body>) -> Self {
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

    /// It is told within that time that the login has ended, and that is all.
    pub async fn hears_within(&mut self, time: Duration) {
        let begun = Instant::now();
        assert_eq!(self.event().await.as_deref(), Some("logged-out"));
        assert_eq!(self.event().await, None);
        assert!(begun.elapsed() <= time, "{:?}", begun.elapsed());
    }

    /// It is told now that the login has ended, and that is all.
    pub async fn hears_at_once(&mut self) {
        self.hears_within(Duration::ZERO).await;
    }

    /// It is told now to connect again soon, and not that it is logged out.
    pub async fn looks_again(&mut self) {
        let begun = Instant::now();
        assert_eq!(self.event().await, None);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(self.text.ends_with("retry: 100\n\n"), "{}", self.text);
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
