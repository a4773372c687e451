//! The site over loopback, browsers, and the CLI as a program.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use api::{Passwords, Site, application};
use axum_clef::{SessionKey, stores::SqliteUserStore};
use reqwest::{Client, Response, header, redirect::Policy};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpListener, process::Command};

const PASSWORD: &str = "a sentence of mine";

struct Served {
    url: String,
    directory: TempDir,
}

impl Served {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("api.db");
        let database = format!("sqlite://{}", database.display());
        let users = SqliteUserStore::connect(&database).await.unwrap();
        let passwords = Passwords::new().await.unwrap();
        let site = Site::new(users, passwords).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = application(&url, SessionKey::from_bytes([7; 32]), site).unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, directory }
    }

    /// A browser in which a new user is logged in.
    async fn user(&self, name: &str) -> Browser {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(Policy::none());
        let browser = Browser {
            client: client.build().unwrap(),
            site: self.url.clone(),
        };
        let form = [("name", name), ("password", PASSWORD)];
        let response = browser.send("/sign-up", &form).await;
        assert_eq!(response.status(), 303);
        browser
    }

    /// A computer with the CLI.
    fn cli(&self, name: &str) -> Cli {
        Cli {
            file: self.directory.path().join(name).join("token"),
        }
    }
}

struct Browser {
    client: Client,
    site: String,
}

impl Browser {
    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.site));
        let request = request.header(header::ACCEPT, "text/html");
        request.send().await.unwrap()
    }

    async fn send(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{path}", self.site));
        let request = request
            .header(header::ACCEPT, "text/html")
            .header(header::ORIGIN, &self.site);
        request.form(form).send().await.unwrap()
    }

    /// Makes a token, as the page shows it.
    async fn new_token(&self, name: &str) -> String {
        let response = self.send("/tokens", &[("name", name)]).await;
        assert_eq!(response.status(), 200);
        let page = response.text().await.unwrap();
        let (_, rest) = page.split_once("<pre id=\"token\">").unwrap();
        rest.split_once("</pre>").unwrap().0.to_owned()
    }

    /// The names of the tokens in the list, and the paths that end them.
    async fn tokens(&self) -> Vec<(String, String)> {
        let page = self.get("/tokens").await.text().await.unwrap();
        let forms = page.split("action=\"/tokens/").skip(1);
        let tokens = forms.map(|form| {
            let (id, rest) = form.split_once("/end\"").unwrap();
            let (_, rest) = rest.split_once("<strong>").unwrap();
            let (name, _) = rest.split_once("</strong>").unwrap();
            (name.to_owned(), format!("/tokens/{id}/end"))
        });
        tokens.collect()
    }
}

struct Cli {
    file: PathBuf,
}

impl Cli {
    /// Runs the CLI. Returns what it prints, or what is in its way.
    async fn run(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notes"));
        let mut child = command
            .args(arguments)
            .env("NOTES_TOKEN_FILE", &self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that fails at once reads nothing.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        match output.status.success() {
            true => Ok(text(output.stdout)),
            false => Err(text(output.stderr)),
        }
    }

    async fn log_in(&self, site: &str, token: &str) -> Result<String, String> {
        self.run(&["log-in", site], &format!("{token}\n")).await
    }

    async fn list(&self) -> Result<String, String> {
        self.run(&["list"], "").await
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap()) & 0o777
}

#[tokio::test]
async fn a_cli_uses_a_token_until_it_is_ended() {
    let site = Served::start().await;
    let alex = site.user("alex").await;
    let (laptop, server) = (site.cli("laptop"), site.cli("server"));
    let token = alex.new_token("laptop").await;
    laptop.log_in(&site.url, &token).await.unwrap();
    let token = alex.new_token("<server>").await;
    server.log_in(&site.url, &token).await.unwrap();
    laptop.run(&["add", "buy milk"], "").await.unwrap();
    assert_eq!(server.list().await.unwrap(), "buy milk\n");
    #[cfg(unix)]
    assert_eq!(mode(&laptop.file), 0o600);

    let tokens = alex.tokens().await;
    let names: Vec<_> = tokens.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["&lt;server&gt;", "laptop"]);
    // Another user ends none of them.
    let robin = site.user("robin").await;
    assert!(robin.tokens().await.is_empty());
    assert_eq!(robin.send(&tokens[1].1, &[]).await.status(), 404);
    assert!(laptop.list().await.is_ok());

    assert_eq!(alex.send(&tokens[1].1, &[]).await.status(), 303);
    let error = laptop.list().await.unwrap_err();
    assert!(error.contains("the token has ended"), "{error}");
    assert_eq!(
        server.list().await.unwrap(),
        "buy milk\n",
        "the other stays"
    );
    assert_eq!(alex.tokens().await.len(), 1);
    assert!(laptop.run(&["log-out"], "").await.is_ok(), "the file goes");
    assert!(!laptop.file.exists());
}

#[tokio::test]
async fn a_logout_everywhere_ends_every_token() {
    let site = Served::start().await;
    let alex = site.user("alex").await;
    let clis = [site.cli("laptop"), site.cli("server")];
    for cli in &clis {
        let token = alex.new_token("a computer").await;
        cli.log_in(&site.url, &token).await.unwrap();
    }
    assert_eq!(alex.send("/log-out-everywhere", &[]).await.status(), 303);
    for cli in &clis {
        assert!(cli.list().await.unwrap_err().contains("has ended"));
    }
    assert_eq!(alex.get("/tokens").await.status(), 303, "this browser too");
    let form = [("name", " Alex "), ("password", PASSWORD)]; // stored as `alex`
    assert_eq!(alex.send("/log-in", &form).await.status(), 303);
    assert!(alex.tokens().await.is_empty());
    let token = alex.new_token("laptop").await;
    clis[0].log_in(&site.url, &token).await.unwrap();
    assert!(clis[0].list().await.is_ok(), "a new token works");
}

#[tokio::test]
async fn a_cli_logs_out_for_itself_alone() {
    let site = Served::start().await;
    let alex = site.user("alex").await;
    let (laptop, server) = (site.cli("laptop"), site.cli("server"));
    let token = alex.new_token("laptop").await;
    laptop.log_in(&site.url, &token).await.unwrap();
    let copied = fs::read(&laptop.file).unwrap();
    let other = alex.new_token("server").await;
    server.log_in(&site.url, &other).await.unwrap();

    laptop.run(&["log-out"], "").await.unwrap();
    assert!(!laptop.file.exists());
    let error = laptop.list().await.unwrap_err();
    assert!(error.contains("log-in SITE"), "{error}");
    let tokens = alex.tokens().await;
    assert_eq!(tokens.len(), 1, "its row is gone");
    assert_eq!(tokens[0].0, "server");
    assert!(server.list().await.is_ok());
    // A copy of the file is of no use.
    fs::write(&laptop.file, copied).unwrap();
    #[cfg(unix)]
    fs::set_permissions(
        &laptop.file,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    assert!(laptop.list().await.unwrap_err().contains("has ended"));
}

#[tokio::test]
async fn a_cli_keeps_only_a_token_that_works_and_that_no_other_can_read() {
    let site = Served::start().await;
    let alex = site.user("alex").await;
    let token = alex.new_token("laptop").await;
    let laptop = site.cli("laptop");
    for (address, token, words) in [
        (&*site.url, "clef_AAAA", "has ended"),
        (&site.url, "", "400"),
        ("http://example.com", &token, "unencrypted"),
        ("no address", &token, "no address"),
    ] {
        let error = laptop.log_in(address, token).await.unwrap_err();
        assert!(error.contains(words), "{address}: {error}");
        assert!(!error.contains("clef_"), "{error}");
        assert!(!laptop.file.exists(), "{address}");
    }
    laptop.log_in(&site.url, &token).await.unwrap();
    #[cfg(unix)]
    {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(&laptop.file, open).unwrap();
        let error = laptop.list().await.unwrap_err();
        assert!(error.contains("chmod 600"), "{error}");
    }
}

#[tokio::test]
async fn the_interface_is_for_browsers_and_programs_and_for_no_other_site() {
    let site = Served::start().await;
    let alex = site.user("alex").await;
    assert_eq!(alex.get("/api/notes").await.status(), 200, "by cookie");
    let token = alex.new_token("laptop").await;
    let add = || {
        let request = Client::new().post(format!("{}/api/notes", site.url));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        request.body(r#"{"text":"buy milk"}"#)
    };
    let elsewhere = "https://elsewhere.example";
    let by_token = add().bearer_auth(&token).header(header::ORIGIN, elsewhere);
    assert_eq!(by_token.send().await.unwrap().status(), 201);
    let without = add().header(header::ORIGIN, elsewhere).send().await;
    assert_eq!(without.unwrap().status(), 403);
    assert_eq!(add().send().await.unwrap().status(), 401);
    // No page is for a program alone: a token makes no other token.
    let request = Client::new().post(format!("{}/tokens", site.url));
    let request = request.bearer_auth(&token).form(&[("name", "another")]);
    assert_eq!(request.send().await.unwrap().status(), 403);
    assert_eq!(alex.tokens().await.len(), 1);
}

#[tokio::test]
async fn the_list_has_the_newest_hundred_notes() {
    let site = Served::start().await;
    let alex = site.user("alex").await;
    for number in 1..=101 {
        let request = alex.client.post(format!("{}/api/notes", site.url));
        let request = request
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ORIGIN, &site.url)
            .body(format!(r#"{{"text":"{number}"}}"#));
        assert_eq!(request.send().await.unwrap().status(), 201);
    }
    let list = alex.get("/api/notes").await.text().await.unwrap();
    let numbers: Vec<_> = (2..=101).map(|number| format!("\"{number}\"")).collect();
    assert_eq!(list, format!("[{}]", numbers.join(",")));
}
