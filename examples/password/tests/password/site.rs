//! A site of its own for each test, and people with browsers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use password::{Members, Passwords, Site, application};
use reqwest::{Client, Response, header, redirect::Policy};
use sqlx::Row as _;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub const PASSWORD: &str = "a sentence of mine";

/// A site that is served on a free port, with members of its own.
pub struct Served {
    pub url: String,
    pub passwords: Arc<Passwords>,
    members: Members,
    _directory: TempDir,
}

impl Served {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("password.db");
        let members = Members::connect(&format!("sqlite://{}", database.display())).await;
        let passwords = Arc::new(Passwords::new().await.unwrap());
        let members = members.unwrap();
        let site = Site::new(members.clone(), Arc::clone(&passwords));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = application(&url, site).await.unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            passwords,
            members,
            _directory: directory,
        }
    }

    /// Makes the credentials of every login older, by a quarter of an hour.
    pub async fn make_logins_old(&self) {
        let pool = self.members.pool();
        let rows = sqlx::query("select id, data from tower_sessions");
        for row in rows.fetch_all(pool).await.unwrap() {
            let (id, mut data): (String, Vec<u8>) = (row.get("id"), row.get("data"));
            // The login is the text after the first dot behind its key, in Base64.
            let key = b"axum-clef.login";
            let found = data.windows(key.len()).position(|part| part == key);
            let text = found.expect("the record has a login") + key.len();
            let dot = data[text..].iter().position(|byte| *byte == b'.');
            let start = text + dot.expect("the text of a login has a dot") + 1;
            let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
            let length = data[start..]
                .iter()
                .take_while(|byte| is_base64(byte))
                .count();
            let login = &mut data[start..start + length];
            let mut record = URL_SAFE_NO_PAD.decode(&*login).unwrap();
            // Its field 5, an integer of eight bytes, is when the credentials were proven. Until 2041 it
            // begins with these.
            let field = record.windows(4).position(|part| part == [5, 0x1b, 0, 6]);
            let field = field.expect("a login has this field") + 2;
            let micros = &mut record[field..field + 8];
            let proven_at = i64::from_be_bytes((&*micros).try_into().unwrap());
            micros.copy_from_slice(&(proven_at - 15 * 60 * 1_000_000).to_be_bytes());
            login.copy_from_slice(URL_SAFE_NO_PAD.encode(record).as_bytes());
            let update = sqlx::query("update tower_sessions set data = ? where id = ?");
            update.bind(data).bind(id).execute(pool).await.unwrap();
        }
    }

    /// A browser without cookies.
    pub fn browser(&self) -> Browser {
        self.browser_at([127, 0, 0, 1])
    }

    /// A browser of another client.
    pub fn browser_at(&self, address: [u8; 4]) -> Browser {
        let client = Client::builder()
            .cookie_store(true)
            .local_address(IpAddr::from(address))
            .redirect(Policy::none());
        Browser {
            client: client.build().unwrap(),
            site: self.url.clone(),
        }
    }

    /// A browser in which a new member is logged in.
    pub async fn member(&self, name: &str) -> Browser {
        let browser = self.browser();
        let response = browser.sign_up(name, PASSWORD).await;
        assert_eq!(response.status(), 303);
        assert!(browser.is_in().await);
        browser
    }

    /// A second browser of a member.
    pub async fn logged_in(&self, name: &str) -> Browser {
        let browser = self.browser();
        let response = browser.log_in(name, PASSWORD).await;
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

    pub async fn sign_up(&self, name: &str, password: &str) -> Response {
        let form = [("name", name), ("password", password)];
        self.send("/sign-up", &form).await
    }

    pub async fn log_in(&self, name: &str, password: &str) -> Response {
        let form = [("name", name), ("password", password)];
        self.send("/log-in", &form).await
    }

    pub async fn change_password(&self, current: &str, new: &str) -> Response {
        let form = [("current", current), ("new", new)];
        self.send("/account/password", &form).await
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
