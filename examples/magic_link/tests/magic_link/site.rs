//! A site of its own for each test, its mailbox and its clock, and people with browsers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum_clef::{BoxError, Timestamp, stores::SqliteUserStore};
use magic_link::{Mail, Mailer, Site, application};
use reqwest::{Client, Response, header, redirect::Policy};
use tempfile::TempDir;
use tokio::net::TcpListener;

pub const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0";
pub const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Safari/604.1";

/// Every mail that was sent, and a server that can fail.
#[derive(Clone, Default)]
pub struct Mailbox {
    mail: Arc<Mutex<Vec<Mail>>>,
    fails: Arc<Mutex<bool>>,
}

impl Mailbox {
    pub fn len(&self) -> usize {
        self.mail.lock().unwrap().len()
    }

    /// The latest mail to an address, and the path of the link in it.
    pub fn latest(&self, address: &str) -> (String, String) {
        let mail = self.mail.lock().unwrap();
        let mail = mail.iter().rfind(|mail| mail.to.as_str() == address);
        let text = mail.expect("there is mail").text.clone();
        let link = text.lines().find(|line| line.starts_with("http")).unwrap();
        let path = link.splitn(4, '/').nth(3).unwrap();
        (text.clone(), format!("/{path}"))
    }

    pub fn fail(&self, fails: bool) {
        *self.fails.lock().unwrap() = fails;
    }
}

#[async_trait::async_trait]
impl Mailer for Mailbox {
    async fn send(&self, mail: Mail) -> Result<(), BoxError> {
        if *self.fails.lock().unwrap() {
            return Err("the mail server is down".into());
        }
        self.mail.lock().unwrap().push(mail);
        Ok(())
    }
}

/// A site that is served on a free port, with members of its own.
pub struct Served {
    pub url: String,
    pub mailbox: Mailbox,
    pub users: SqliteUserStore,
    clock: Arc<AtomicI64>,
    directory: TempDir,
}

impl Served {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("magic_link.db");
        let users = SqliteUserStore::connect(&format!("sqlite://{}", database.display())).await;
        let clock = Arc::new(AtomicI64::new(0));
        let ahead = Arc::clone(&clock);
        let users = users.unwrap().with_clock(move || {
            Timestamp::from_micros(Timestamp::now().as_micros() + ahead.load(Relaxed))
        });
        let mailbox = Mailbox::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Site::new(&url, users.clone(), mailbox.clone()).await;
        let app = application(site.unwrap()).await.unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            mailbox,
            users,
            clock,
            directory,
        }
    }

    /// Sets the clock of the site forward.
    pub fn wait(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap();
        self.clock.fetch_add(micros, Relaxed);
    }

    /// Everything that the site has written to the disk.
    pub fn files(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.directory.path()).unwrap();
        let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.flatten().collect()
    }

    /// A browser without cookies.
    pub fn browser(&self) -> Browser {
        self.browser_at([127, 0, 0, 1], FIREFOX)
    }

    /// A browser of another client.
    pub fn browser_at(&self, address: [u8; 4], user_agent: &str) -> Browser {
        let client = Client::builder()
            .cookie_store(true)
            .user_agent(user_agent)
            .local_address(IpAddr::from(address))
            .redirect(Policy::none());
        Browser {
            client: client.build().unwrap(),
            site: self.url.clone(),
        }
    }

    /// Requests a link in a browser, and returns its path.
    pub async fn link(&self, browser: &Browser, address: &str) -> String {
        let response = browser.request(address).await;
        assert_eq!(location(&response), "/log-in/sent");
        self.mailbox.latest(address).1
    }

    /// A browser in which a member is logged in.
    pub async fn member(&self, address: &str) -> Browser {
        let browser = self.browser();
        let link = self.link(&browser, address).await;
        let response = browser.send(&link, &[]).await;
        assert_eq!(location(&response), "/");
        assert!(browser.is_in().await);
        browser
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
        let request = request.header(header::ACCEPT, "text/html");
        request.send().await.unwrap()
    }

    pub async fn head(&self, path: &str) -> Response {
        let request = self.client.head(format!("{}{path}", self.site));
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

    /// Requests a link.
    pub async fn request(&self, address: &str) -> Response {
        self.send("/log-in", &[("email", address)]).await
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

/// Where a redirect leads.
pub fn location(response: &Response) -> &str {
    assert_eq!(response.status(), 303);
    response.headers()[header::LOCATION].to_str().unwrap()
}
