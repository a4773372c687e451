//! `cargo run --example clef` as a newcomer runs it, with two sites that are logged out by one
//! tap.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use reqwest::{Client, Response, cookie::Jar, header::LOCATION, redirect};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout, Command},
};

/// An example, which `cargo test` builds before it runs this.
fn example(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    Command::new(path)
}

/// A program that runs, and the address that it printed first.
struct Running {
    url: String,
    _program: Child,
    /// Kept open: who prints to nobody fails.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Running {
    async fn start(command: &mut Command, label: &str) -> Self {
        let command = command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut program = command.spawn().unwrap();
        let mut output = BufReader::new(program.stdout.take().unwrap()).lines();
        let line = output.next_line().await.unwrap().unwrap();
        Self {
            url: line.strip_prefix(label).unwrap().trim().to_owned(),
            _program: program,
            _output: output,
        }
    }
}

fn location(response: &Response) -> &str {
    assert_eq!(response.status(), 303);
    response.headers()[LOCATION].to_str().unwrap()
}

#[tokio::test]
async fn two_sites_are_logged_out_by_one_tap() {
    let mut program = example("clef");
    let clef = Running::start(program.env("CLEF_ADDR", "127.0.0.1:0"), "Clef:").await;
    let directory = tempfile::tempdir().unwrap();
    let mut sites = Vec::new();
    for name in ["one", "two"] {
        let database = directory.path().join(format!("{name}.db"));
        let mut program = example("quickstart");
        let program = program
            .env("CLEF_URL", &clef.url)
            .env("SITE_ADDR", "127.0.0.1:0")
            .env("DATABASE_URL", format!("sqlite://{}", database.display()));
        sites.push(Running::start(program, "The site:").await);
    }
    let browser = Client::builder()
        .cookie_provider(Arc::new(Jar::default()))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let get = async |url: &str| {
        let request = browser.get(url).header("accept", "text/html");
        request.send().await.unwrap()
    };

    // The first site: the wave, and the phone. The second: one click.
    for (site, person) in sites.iter().zip([Some("12345"), None]) {
        let start = get(&format!("{}/clef/login?next=/account", site.url)).await;
        let page = get(location(&start)).await.text().await.unwrap();
        assert_eq!(page.contains(">Continue</button>"), person.is_none());
        let (_, key) = page.split_once("/iframes/qr/").unwrap();
        let (key, _) = key.split_once('/').unwrap();
        let approve = browser.post(format!("{}/iframes/qr/{key}/approve", clef.url));
        let form: Vec<_> = person.map(|id| ("person", id)).into_iter().collect();
        let approved = approve.form(&form).send().await.unwrap();
        let finish = get(&format!("{}{}", clef.url, location(&approved))).await;
        let landed = get(location(&finish)).await;
        assert_eq!(location(&landed), "/account");
        assert_eq!(get(&format!("{}/account", site.url)).await.status(), 200);
    }

    let tap = Client::new().post(format!("{}/phone/12345/log-out", clef.url));
    let rows: serde_json::Value = tap.send().await.unwrap().json().await.unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
    for site in &sites {
        assert_eq!(get(&format!("{}/account", site.url)).await.status(), 303);
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (value, says) in [
        (address.as_str(), "it is taken"),
        ("somewhere", "write it like 127.0.0.1:5050"),
        ("0.0.0.0:0", "not a loopback address"),
    ] {
        let output = example("clef").env("CLEF_ADDR", value).output();
        let output = output.await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        assert!(
            error.contains("CLEF_ADDR") && error.contains(says),
            "{error}"
        );
    }
}
