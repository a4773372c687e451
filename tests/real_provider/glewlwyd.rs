use std::{fs, net::TcpListener, path::Path, process::Stdio};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::Rng as _;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{at_glewlwyd::AtGlewlwyd, site::Site, visitor::Visitor};

/// Where the package has the tables and the first administrator.
const TABLES: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";

/// Where it has the pages.
const PAGES: &str = "/usr/share/glewlwyd/webapp";

/// The media types of its pages. By default it has none.
const MEDIA_TYPES: [(&str, &str); 7] = [
    (".css", "text/css"),
    (".html", "text/html"),
    (".ico", "image/x-icon"),
    (".js", "text/javascript"),
    (".json", "application/json"),
    (".png", "image/png"),
    (".woff2", "font/woff2"),
];

pub const PASSWORD: &str = "a-password-of-the-tests";

/// glewlwyd as a process, on a port and over a database of its own; dropped, it ends.
pub struct Glewlwyd {
    url: String,
    admin: Client,
    _process: Child,
    _directory: TempDir,
}

/// How a client receives notices of logouts.
#[derive(Clone, Copy)]
pub enum Channel {
    Back,
    /// By tokens that name no session.
    BackWithoutSession,
    Front,
    Both,
}

impl Glewlwyd {
    /// Starts it with these users, whose names are their user names.
    pub async fn start(people: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("glewlwyd.db");
        create_tables(&database).await;
        let pages = directory.path().join("pages");
        copy_pages(&pages).await;
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let glewlwyd = Self {
            _process: run(port, &url, &database, &pages).await,
            admin: test_support::Browser::new().client,
            url,
            _directory: directory,
        };
        glewlwyd.set_up(people).await;
        glewlwyd
    }

    pub fn issuer(&self) -> String {
        format!("{}/api/oidc", self.url)
    }

    pub fn visitor(&self) -> Visitor<AtGlewlwyd> {
        Visitor::with(AtGlewlwyd::new(&self.url))
    }

    /// Registers a site as a client. The id and the secret are sent as they are, and not encoded.
    pub async fn register(&self, client_id: &str, secret: &str, site: &Site, channel: Channel) {
        let url = &site.url;
        let mut client = json!({
            "client_id": client_id,
            "name": client_id,
            "enabled": true,
            "confidential": true,
            "client_secret": secret,
            "token_endpoint_auth_method": ["client_secret_basic"],
            "authorization_type": ["code"],
            "redirect_uri": [format!("{url}/clef/callback")],
            "post_logout_redirect_uris": [format!("{url}/clef/signed-out")],
        });
        let back = ("backchannel", "/clef/logout", "true");
        let front = ("frontchannel", "/clef/front-channel-logout", "true");
        let channels = match channel {
            Channel::Back => vec![back],
            Channel::BackWithoutSession => vec![(back.0, back.1, "false")],
            Channel::Front => vec![front],
            Channel::Both => vec![back, front],
        };
        for (name, path, session) in channels {
            client[format!("{name}_logout_uri")] = format!("{url}{path}").into();
            client[format!("{name}_logout_session_required")] = session.into();
        }
        self.administer(Method::POST, "client", &client).await;
    }

    /// Does what an administrator does on its pages: adds the plugin for OpenID Connect, and the users.
    async fn set_up(&self, people: &[&str]) {
        let admin = json!({ "username": "admin", "password": "password" });
        self.administer(Method::POST, "auth", &admin).await;
        // The package lacks this property of clients, of which each has several.
        let path = "mod/client/database";
        let mut clients = self.administer(Method::GET, path, &Value::Null).await;
        clients["parameters"]["data-format"]["post_logout_redirect_uris"] =
            json!({ "multiple": true, "read": true, "write": true });
        self.administer(Method::PUT, path, &clients).await;
        self.administer(Method::PUT, &format!("{path}/reset"), &Value::Null)
            .await;

        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        let plugin = json!({
            "module": "oidc",
            "name": "oidc",
            "display_name": "OpenID Connect",
            "parameters": {
                "iss": self.issuer(),
                "jwt-type": "rsa",
                "jwt-key-size": "256",
                "key": pem("PRIVATE KEY", private.as_ref()),
                "cert": pem("PUBLIC KEY", public.as_ref()),
                "jwks-show": true,
                "auth-type-code-enabled": true,
                "code-duration": 600,
                "access-token-duration": 3600,
                "refresh-token-duration": 3600,
                "pkce-allowed": true,
                "name-claim": "mandatory",
                "session-management-allowed": true,
                "session-cookie-name": "GLEWLWYD2_OIDC_SID",
                "session-cookie-expiration": 3600,
                "back-channel-logout-allowed": true,
                "front-channel-logout-allowed": true,
            },
        });
        self.administer(Method::POST, "mod/plugin", &plugin).await;
        for person in people {
            let user = json!({
                "username": person,
                "name": person,
                "password": PASSWORD,
                "enabled": true,
                "scope": ["openid"],
            });
            self.administer(Method::POST, "user", &user).await;
        }
    }

    async fn administer(&self, method: Method, path: &str, body: &Value) -> Value {
        call(
            &self.admin,
            method,
            &format!("{}/api/{path}", self.url),
            body,
        )
        .await
    }
}

/// A call of the API: its answer, or null.
pub async fn call(client: &Client, method: Method, url: &str, body: &Value) -> Value {
    let mut request = client.request(method, url);
    if !body.is_null() {
        request = request.json(body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{url}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

async fn create_tables(database: &Path) {
    let tables = fs::read_to_string(TABLES)
        .unwrap_or_else(|error| panic!("{TABLES}: {error}; install Debian's glewlwyd"));
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let tables = format!("BEGIN; {tables} COMMIT;");
    sqlx::raw_sql(&tables)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Copies the pages, since glewlwyd follows no link to another folder. The link of the package to
/// the settings leads to their folder instead of their file.
async fn copy_pages(to: &Path) {
    let settings = "/etc/glewlwyd/config-2.7.json/config.json";
    let script = "cp -rL \"$1\" \"$2\" && rm -r \"$2/config.json\" && cp \"$3\" \"$2\"";
    let status = Command::new("sh")
        .args(["-c", script, "copy", PAGES])
        .args([to.as_os_str(), settings.as_ref()])
        .status();
    assert!(status.await.unwrap().success());
}

/// A port that was free a moment ago, since glewlwyd finds none itself. It is below those that the
/// system gives to connections, of which one could take it meanwhile.
fn free_port() -> u16 {
    loop {
        let port = rand::thread_rng().gen_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The process, once it serves.
async fn run(port: u16, url: &str, database: &Path, pages: &Path) -> Child {
    let media_types = MEDIA_TYPES
        .map(|(extension, media_type)| json!({ "extension": extension, "mime_type": media_type }));
    let mut process = Command::new("glewlwyd")
        .arg("--env-variables")
        .env_clear()
        .env("GLWD_BIND_ADDRESS", "127.0.0.1")
        .env("GLWD_PORT", port.to_string())
        .env("GLWD_EXTERNAL_URL", url)
        .env("GLWD_LOGIN_URL", "login.html")
        .env("GLWD_STATIC_FILES_PATH", pages)
        .env(
            "GLWD_STATIC_FILES_MIME_TYPES",
            json!(media_types).to_string(),
        )
        .env("GLWD_LOG_MODE", "console")
        .env("GLWD_LOG_LEVEL", "INFO")
        .env("GLWD_COOKIE_SECURE", "0")
        .env("GLWD_LOGIN_API_ENABLED", "1")
        .env("GLWD_DATABASE_TYPE", "sqlite3")
        .env("GLWD_DATABASE_SQLITE3_PATH", database)
        .env("GLWD_USER_MODULE_PATH", "/usr/lib/glewlwyd/user")
        .env("GLWD_CLIENT_MODULE_PATH", "/usr/lib/glewlwyd/client")
        .env("GLWD_AUTH_SCHEME_MODULE_PATH", "/usr/lib/glewlwyd/scheme")
        .env("GLWD_PLUGIN_MODULE_PATH", "/usr/lib/glewlwyd/plugin")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("glewlwyd: {error}; install Debian's glewlwyd"));
    let mut log = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    loop {
        let Some(line) = log.next_line().await.unwrap() else {
            panic!("glewlwyd has ended:\n{}", seen.join("\n"));
        };
        if line.contains("Glewlwyd started on port") {
            break;
        }
        seen.push(line);
    }
    // What it logs from now on is not kept, and must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    process
}
