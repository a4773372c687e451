//! Nothing secret reaches a log, a `Debug` or an error text. On its own, because it listens to
//! everything that this process traces.

use std::{
    error::Error as _,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, LoggedIn, Profile, Subject, UserStore as _,
    clef::Clef,
    dev::{ClefService, PEOPLE, TEST_APPLICATIONS},
    provider::{CodeExchange, LoginRequest, LoginSecret, OneTimeState, Provider as _},
    stores::{Account, MemoryUserStore, SqliteUserStore},
};
use reqwest::{
    Client,
    cookie::{CookieStore as _, Jar},
    redirect,
};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tower_sessions_sqlx_store::SqliteStore;
use url::Url;

/// Everything that was traced.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// A site and its Clef, and a browser that notes each secret it sees.
struct World {
    site: String,
    clef: ClefService,
    client: Client,
    jar: Arc<Jar>,
    secrets: Vec<String>,
}

impl World {
    async fn start() -> Self {
        let clef = ClefService::start("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = format!("http://{}", listener.local_addr().unwrap());
        let users = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
        let sessions = SqliteStore::new(users.pool().clone());
        sessions.migrate().await.unwrap();
        let application = &TEST_APPLICATIONS[0];
        let provider = Clef::new(application.id(), application.secret())
            .base_url(&clef.url())
            .unwrap();
        let auth = ClefLayer::new(&site, provider, users, sessions).unwrap();
        let app = Router::new()
            .route("/account", get(|_: LoggedIn<Account>| async {}))
            .merge(auth.routes())
            .layer(auth);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let jar = Arc::new(Jar::default());
        let client = Client::builder()
            .cookie_provider(Arc::clone(&jar))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let secrets = vec![application.secret().to_owned()];
        Self {
            site,
            clef,
            client,
            jar,
            secrets,
        }
    }

    async fn get(&self, url: &str) -> (u16, String) {
        let response = self.client.get(url).send().await.unwrap();
        let location = response.headers().get("location");
        let location = location.map_or("", |location| location.to_str().unwrap());
        (response.status().as_u16(), location.to_owned())
    }

    /// Goes to Clef and back: the callback URL.
    async fn approve(&mut self, person: usize) -> String {
        let (status, login) = self.get(&format!("{}/clef/login", self.site)).await;
        assert_eq!(status, 303);
        let login = Url::parse(&login).unwrap();
        let fields: Vec<(String, String)> = login.query_pairs().into_owned().collect();
        let path = format!("/phone/{}/log-in", PEOPLE[person].id());
        let request = self.client.post(self.clef.url() + &path).form(&fields);
        let response = request.send().await.unwrap();
        let callback = response.headers()["location"].to_str().unwrap().to_owned();
        for (name, value) in Url::parse(&callback).unwrap().query_pairs() {
            assert!(["code", "state"].contains(&&*name));
            self.secrets.push(value.into_owned());
        }
        self.note_cookies();
        callback
    }

    fn note_cookies(&mut self) {
        let site = self.site.parse().unwrap();
        let cookies = self.jar.cookies(&site);
        let cookies = cookies.map_or(String::new(), |c| c.to_str().unwrap().to_owned());
        for cookie in cookies.split("; ").filter(|cookie| !cookie.is_empty()) {
            let (_, value) = cookie.split_once('=').unwrap();
            self.secrets.push(value.to_owned());
            // As `Debug` of tower-sessions has it.
            if let Ok(id) = value.parse::<tower_sessions::session::Id>() {
                self.secrets.push(id.0.to_string());
            }
        }
    }

    async fn log_in(&mut self, person: usize) {
        let callback = self.approve(person).await;
        let (status, _) = self.get(&callback).await;
        assert_eq!(status, 303);
        self.note_cookies();
    }

    async fn status(&self) -> u16 {
        self.get(&format!("{}/account", self.site)).await.0
    }
}

#[tokio::test]
async fn nothing_secret_is_traced_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let mut world = World::start().await;

    // A login, a request, a logout on the phone, a request.
    world.log_in(0).await;
    assert_eq!(world.status().await, 200);
    let path = format!("{}/phone/{}/log-out", world.clef.url(), PEOPLE[0].id());
    let rows: serde_json::Value = world
        .client
        .post(path)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(rows[0]["status"], 200);
    assert_eq!(world.status().await, 401);

    // A login of somebody else, and a sign-out.
    world.log_in(1).await;
    let sign_out = world.client.post(format!("{}/clef/sign-out", world.site));
    assert_eq!(sign_out.send().await.unwrap().status(), 303);

    // Failures: a replay, a code that is no good, a token that is no good, garbage cookies,
    // and a Clef that has gone.
    let callback = world.approve(2).await;
    assert_eq!(world.get(&callback).await.0, 303);
    assert_eq!(world.get(&callback).await.0, 403);
    let callback = world.approve(2).await;
    let spoilt = callback.replace("code=", "code=spoilt-SECRET-CODE");
    world.secrets.push("SECRET-CODE".to_owned());
    assert_eq!(world.get(&spoilt).await.0, 403);
    let notice = |token: &'static str| {
        let form = [("logout_token", token)];
        let request = world.client.post(format!("{}/clef/logout", world.site));
        request.form(&form).send()
    };
    assert_eq!(notice("SECRET-LOGOUT-TOKEN").await.unwrap().status(), 400);
    let port = world.site.rsplit(':').next().unwrap();
    let garbage = world
        .client
        .get(format!("{}/account", world.site))
        .header("cookie", format!("clef-session-{port}=SECRET-COOKIE"));
    assert_eq!(garbage.send().await.unwrap().status(), 401);
    let callback = world.approve(0).await;
    let address = world.clef.address();
    world.clef = ClefService::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    // The port is free only when the old service has let go of it.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.get(&callback).await.0, 502);
    let notice = [("logout_token", "SECRET-LOGOUT-TOKEN")];
    let request = world.client.post(format!("{}/clef/logout", world.site));
    let response = request.form(&notice).send().await.unwrap();
    assert_eq!(response.status(), 503);

    // An access token, which no browser ever sees.
    let tells = Router::new()
        .route(
            "/api/v1/authorize",
            post(|| async { r#"{"success":true,"access_token":"SECRET-ACCESS-TOKEN"}"# }),
        )
        .route(
            "/api/v1/info",
            get(|| async { r#"{"success":true,"info":{"id":1}}"# }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, tells).await.unwrap() });
    let clef = Clef::new("id", "secret").base_url(&url).unwrap();
    let callback: Url = "https://site.example/".parse().unwrap();
    let code = SecretString::from("SECRET-CODE");
    let secret = LoginSecret::from_bytes([7; 32]);
    let code = CodeExchange::new(&code, &callback, &callback, &secret);
    assert_eq!(
        clef.exchange(&code).await.unwrap().profile.subject.id(),
        "1"
    );
    world.secrets.push("SECRET-ACCESS-TOKEN".to_owned());

    let text = log.text();
    world
        .secrets
        .extend(["SECRET-LOGOUT-TOKEN", "SECRET-COOKIE"].map(str::to_owned));
    world
        .secrets
        .extend(PEOPLE.iter().filter_map(|p| p.email().map(str::to_owned)));
    assert!(world.secrets.len() > 20, "the browser has seen some");
    for secret in &world.secrets {
        assert!(secret.len() > 8, "{secret:?} would be found by chance");
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret:?} is in the log");
    }

    // Quiet, and useful all the same: one event a login, a logout, a refusal.
    let ours = |message: &str| {
        let mut lines = text.lines();
        lines.any(|line| line.contains(" axum_clef::") && line.contains(message))
    };
    for message in [
        "logged in user=",
        "logged out scope=",
        "signed out on this device",
        "a login is refused user=",
        "a login was refused kind=StateMismatch",
        "a login was refused kind=Refused",
        "a login failed kind=ProviderUnavailable",
        "a logout notice was refused",
        "a logout notice could not be checked",
    ] {
        assert!(ours(message), "{message:?} is missing in the log");
    }
}

#[tokio::test]
async fn nothing_secret_is_in_a_debug_or_an_error() {
    let state = OneTimeState::new("SECRET-STATE");
    let code = SecretString::from("SECRET-CODE");
    let secret = LoginSecret::from_bytes([7; 32]);
    let url: Url = "https://site.example/".parse().unwrap();
    let mut profile = Profile::new(Subject::new("https://clef.io", "alex@getclef.com"));
    profile.first_name = Some("SECRET-NAME".to_owned());
    profile.email = Some("alex@getclef.com".to_owned());
    profile.phone_number = Some("SECRET-NUMBER".to_owned());
    let users = MemoryUserStore::new();
    let account = users.log_in(&profile).await.unwrap().unwrap();
    let clef = Clef::new("the id", "SECRET-SECRET");
    let layer = ClefLayer::new(
        "https://site.example",
        clef.clone(),
        users.clone(),
        tower_sessions::MemoryStore::default(),
    )
    .unwrap();
    let unreachable = Clef::new("the id", "SECRET-SECRET")
        .base_url("http://127.0.0.1:1")
        .unwrap();
    let error = unreachable
        .exchange(&CodeExchange::new(&code, &url, &url, &secret))
        .await
        .unwrap_err();

    let everything = [
        format!("{state:?}"),
        format!("{:?}", LoginRequest::new(&url, &state, &secret)),
        format!("{:?}", CodeExchange::new(&code, &url, &url, &secret)),
        format!("{profile:?}"),
        format!("{account:?}"),
        format!("{:?}", LoggedIn(account)),
        format!("{users:?}"),
        format!("{clef:?}"),
        format!("{layer:?}"),
        format!("{error} {error:?} {:?}", error.source()),
        format!("{:?}", TEST_APPLICATIONS[0]),
    ];
    for text in everything {
        for secret in ["SECRET", "alex@getclef.com", TEST_APPLICATIONS[0].secret()] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
