//! A site of its own for each test, its clock, and people with browsers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum_clef::{Timestamp, stores::SqliteUserStore};
use passkey::{Site, application};
use reqwest::{Client, Response, header, redirect::Policy};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::authenticator::Authenticator;

/// A site that is served on a free port, with members of its own.
pub struct Served {
    pub url: String,
    address: SocketAddr,
    clock: Arc<AtomicI64>,
    _directory: TempDir,
}

impl Served {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("passkey.db");
        let users = SqliteUserStore::connect(&format!("sqlite://{}", database.display())).await;
        let clock = Arc::new(AtomicI64::new(0));
        let ahead = Arc::clone(&clock);
        let users = users.unwrap().with_clock(move || {
            Timestamp::from_micros(Timestamp::now().as_micros() + ahead.load(Relaxed))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://localhost:{}", address.port());
        let site = Site::new(&url, users).await.unwrap();
        let app = application(site).await.unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            address,
            clock,
            _directory: directory,
        }
    }

    /// Sets the clock of the site forward.
    pub fn wait(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap();
        self.clock.fetch_add(micros, Relaxed);
    }

    /// A browser without cookies, of a client at 127.0.0.1 with another last number. Each client has
    /// ten attempts.
    pub fn browser(&self, client: u8) -> Browser {
        let client = Client::builder()
            .cookie_store(true)
            .local_address(IpAddr::from([127, 0, 0, client]))
            .resolve("localhost", self.address)
            .redirect(Policy::none());
        Browser {
            client: client.build().unwrap(),
            site: self.url.clone(),
        }
    }

    /// A new passkey, for a browser at this site.
    pub fn authenticator(&self) -> Authenticator {
        Authenticator::new(&self.url)
    }

    /// A browser in which a new member is logged in, and their passkey.
    pub async fn member(&self, client: u8) -> (Browser, Authenticator) {
        let (browser, mut passkey) = (self.browser(client), self.authenticator());
        let response = browser.sign_up("Alex", &mut passkey).await;
        assert_eq!(location(&response), "/");
        assert!(browser.is_in().await);
        (browser, passkey)
    }
}

/// A browser, which keeps cookies and follows no redirect.
pub struct Browser {
    client: Client,
    site: String,
}

impl Browser {
    pub async fn open(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.site));
        let request = request
            .header(header::ACCEPT, "text/html")
            .header("sec-fetch-mode", "navigate");
        request.send().await.unwrap()
    }

    pub async fn text(&self, path: &str) -> String {
        self.open(path).await.text().await.unwrap()
    }

    /// Sends a form of the site.
    pub async fn send(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.send_from(&self.site, path, form).await
    }

    /// Sends a form of a page of this origin.
    pub async fn send_from(&self, origin: &str, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{path}", self.site));
        let request = request
            .header(header::ACCEPT, "text/html")
            .header(header::ORIGIN, origin);
        request.form(form).send().await.unwrap()
    }

    /// Sends a form of the site with these cookies and no others.
    pub async fn send_with(&self, cookies: &str, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{path}", self.site));
        let request = request
            .header(header::ACCEPT, "text/html")
            .header(header::ORIGIN, &self.site)
            .header(header::COOKIE, cookies);
        request.form(form).send().await.unwrap()
    }

    /// Fetches a challenge, as the script does.
    pub async fn fetch(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{path}", self.site));
        let request = request
            .header(header::ACCEPT, "application/json")
            .header(header::ORIGIN, &self.site);
        request.form(form).send().await.unwrap()
    }

    /// The challenge of a ceremony, which begins.
    pub async fn challenge(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let response = self.fetch(path, form).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    pub async fn sign_up(&self, name: &str, passkey: &mut Authenticator) -> Response {
        let options = self.challenge("/sign-up/start", &[("name", name)]).await;
        let credential = passkey.create(&options);
        self.answer("/sign-up", &credential).await
    }

    pub async fn log_in(&self, passkey: &mut Authenticator) -> Response {
        let options = self.challenge("/log-in/start", &[]).await;
        let credential = passkey.get(&options);
        self.answer("/log-in", &credential).await
    }

    pub async fn add(&self, name: &str, passkey: &mut Authenticator) -> Response {
        let options = self
            .challenge("/account/add/start", &[("name", name)])
            .await;
        let credential = passkey.create(&options);
        self.answer("/account/add", &credential).await
    }

    /// Sends the answer of an authenticator.
    pub async fn answer(&self, path: &str, credential: &str) -> Response {
        self.send(path, &[("credential", credential)]).await
    }

    /// The numbers of the passkeys on the account page.
    pub async fn passkeys(&self) -> Vec<String> {
        let page = self.text("/account").await;
        let parts = page.split("name=\"number\" value=\"").skip(1);
        let numbers = parts.map(|part| part.split('"').next().unwrap().to_owned());
        numbers.collect()
    }

    pub async fn is_in(&self) -> bool {
        let response = self.open("/account").await;
        match response.status().as_u16() {
            200 => true,
            303 => false,
            status => panic!("{status}"),
        }
    }
}

/// The cookie that an answer sets, as a browser sends it.
pub fn cookie(response: &Response) -> String {
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Where a redirect leads.
pub fn location(response: &Response) -> &str {
    assert_eq!(response.status(), 303);
    response.headers()[header::LOCATION].to_str().unwrap()
}
