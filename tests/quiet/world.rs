//! A site and its Clef over loopback, and a browser that notes each secret it sees.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    response::IntoResponse as _,
    routing::{get, post},
};
use axum_clef::{
    ClefButton, ClefLayer, LoggedIn, LoggedInRejection, Login, LoginFailure, LogoutSignal, Logouts,
    NewToken, NewTokenError, OtherLogins, Permitted, RecentLogin, SameOrigin, SessionKey, Sessions,
    SignOut, UserPermission,
    clef::Clef,
    secrecy::ExposeSecret as _,
    stores::{Account, SqliteUserStore},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clef_dev::{ClefService, PEOPLE, TEST_APPLICATIONS};
use reqwest::Client;
use test_support::Browser;
use tokio::net::TcpListener;
use tower_sessions_sqlx_store::SqliteStore;
use url::Url;

use crate::debug::{told, type_name};

/// A site and its Clef, and a browser that notes each secret it sees.
pub struct World {
    pub site: String,
    pub clef: ClefService,
    pub client: Client,
    browser: Browser,
    pub secrets: Vec<String>,
    pub said: Said,
}

/// A permission that every user has.
struct Anyone;

impl UserPermission for Anyone {
    type User = Account;

    fn allows(_: &Account) -> bool {
        true
    }
}

/// The names of types, and what was said by a value of each.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<Vec<(String, String)>>>);

impl Said {
    pub fn by<T: std::fmt::Debug>(&self, value: &T) {
        self.add::<T>(format!("{value:?}"));
    }

    pub fn by_error<T: std::error::Error + 'static>(&self, error: &T) {
        self.add::<T>(told(error));
    }

    fn add<T>(&self, text: String) {
        self.0.lock().unwrap().push((type_name::<T>(), text));
    }

    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().clone()
    }
}

impl World {
    pub async fn start(sealed: bool) -> Self {
        let clef = ClefService::start("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = format!("http://{}", listener.local_addr().unwrap());
        let users = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
        let store = SqliteStore::new(users.pool().clone());
        store.migrate().await.unwrap();
        let sessions = match sealed {
            true => Sessions::sealed([SessionKey::from_bytes([7; 32])]),
            false => store.into(),
        };
        let application = &TEST_APPLICATIONS[0];
        let provider = Clef::new(&clef.url(), application.id(), application.secret()).unwrap();
        let said = Said::default();
        let (rejected, failed, asked) = (said.clone(), said.clone(), said.clone());
        let auth = ClefLayer::builder(&site, users, sessions)
            .provider(provider)
            .bearer_tokens([SessionKey::from_bytes([8; 32])])
            .render_rejections(move |rejection: &LoggedInRejection| {
                rejected.by_error(rejection);
                rejection.default_response()
            })
            .render_login_failures(move |failure: &LoginFailure| {
                failed.by_error(failure);
                failed.by(&failure.kind());
                (failure.status(), failure.to_string()).into_response()
            });
        said.by(&auth);
        let auth = auth.build().unwrap();
        let extractors = async move |same_origin: SameOrigin,
                                     user: LoggedIn<Account>,
                                     permitted: Permitted<Anyone>,
                                     login: Login,
                                     recent: RecentLogin<10>,
                                     logouts: Logouts,
                                     end: LogoutSignal,
                                     sign_out: SignOut,
                                     others: OtherLogins,
                                     button: ClefButton| {
            let html = button.html();
            asked.by(&login.id());
            asked.by(&sign_out);
            asked.by(&others);
            asked.by(&user);
            asked.by(&permitted);
            asked.by(&login);
            asked.by(&recent);
            asked.by(&logouts);
            asked.by(&end);
            asked.by(&end.stream(futures_util::stream::empty::<()>()));
            asked.by(&button);
            asked.by(&same_origin);
            html
        };
        let app = Router::new()
            .route("/account", get(|_: LoggedIn<Account>| async {}))
            .route("/extractors", get(extractors))
            .route(
                "/others",
                post(async |others: OtherLogins| others.log_out().await),
            )
            .route(
                "/new-token",
                post(async |token: NewToken| {
                    let token = token.mint("the SECRET-NAME").await?;
                    Ok::<_, NewTokenError>(token.secret().expose_secret().to_owned())
                }),
            )
            .merge(auth.routes())
            .layer(auth);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let browser = Browser::new();
        let secrets = vec![application.secret().to_owned()];
        Self {
            site,
            clef,
            client: browser.client.clone(),
            browser,
            secrets,
            said,
        }
    }

    pub async fn get(&self, url: &str) -> (u16, String) {
        let response = self.client.get(url).send().await.unwrap();
        let location = response.headers().get("location");
        let location = location.map_or("", |location| location.to_str().unwrap());
        (response.status().as_u16(), location.to_owned())
    }

    /// Goes to Clef and back: the callback URL.
    pub async fn approve(&mut self, person: usize) -> String {
        let (status, login) = self.get(&format!("{}/clef/login", self.site)).await;
        assert_eq!(status, 303);
        let login = Url::parse(&login).unwrap();
        let fields: Vec<(String, String)> = login.query_pairs().into_owned().collect();
        let path = format!("/phone/{}/log-in", PEOPLE[person].id());
        let request = self
            .client
            .post(format!("{}{path}", self.clef.url()))
            .form(&fields);
        let response = request.send().await.unwrap();
        let callback = response.headers()["location"].to_str().unwrap().to_owned();
        for (name, value) in Url::parse(&callback).unwrap().query_pairs() {
            assert!(["code", "state"].contains(&&*name));
            self.secrets.push(value.into_owned());
        }
        self.note_cookies();
        callback
    }

    pub fn note_cookies(&mut self) {
        let cookies = self.browser.cookies(&*self.site);
        for cookie in cookies.split("; ").filter(|cookie| !cookie.is_empty()) {
            let (_, value) = cookie.split_once('=').unwrap();
            self.secrets.push(value.to_owned());
            // The id of a record, the secret of a login, and that of an attempt, which is encoded.
            let attempt = URL_SAFE_NO_PAD.decode(value).ok();
            let attempt = attempt.and_then(|text| String::from_utf8(text).ok());
            let attempt = attempt.unwrap_or_default();
            let parts = value.split('.').chain(attempt.split('.'));
            for part in parts.filter(|part| part.len() > 20) {
                self.secrets.push(part.to_owned());
                // As `Debug` of tower-sessions has it.
                if let Ok(id) = part.parse::<tower_sessions::session::Id>() {
                    self.secrets.push(id.0.to_string());
                }
            }
        }
    }

    pub async fn log_in(&mut self, person: usize) {
        let callback = self.approve(person).await;
        let (status, _) = self.get(&callback).await;
        assert_eq!(status, 303);
        self.note_cookies();
    }

    pub async fn status(&self) -> u16 {
        self.get(&format!("{}/account", self.site)).await.0
    }
}
