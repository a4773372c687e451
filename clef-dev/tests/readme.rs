//! The sites of the README, in Python and in Go: each as a program, through a login and a logout.

use std::{fs, path::Path, process::Stdio, time::Duration};

use clef_dev::{ClefService, PEOPLE, TEST_APPLICATIONS};
use reqwest::{Client, Url, redirect::Policy};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
};

/// The one block of the README in this language.
fn block(language: &str) -> String {
    let readme = include_str!("../README.md");
    let fence = format!("\n```{language}\n");
    let mut blocks = readme.split(&fence).skip(1);
    let block = blocks.next().and_then(|rest| rest.split("\n```\n").next());
    assert_eq!(blocks.count(), 0, "one block in {language}");
    block.unwrap().to_owned()
}

/// Starts the site of the README at a free port, and returns its address.
async fn start(
    clef: &ClefService,
    language: &str,
    command: &[&str],
    file: &str,
) -> (Child, String) {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let code = block(language);
    for fixed in ["http://127.0.0.1:5050", "8000"] {
        assert!(code.contains(fixed), "{fixed}");
    }
    let code = code.replace("http://127.0.0.1:5050", clef.url().trim_end_matches('/'));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(language);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), code.replace("8000", &port)).unwrap();
    let site = Command::new(command[0])
        .args(&command[1..])
        .arg(file)
        .current_dir(&folder)
        // `go run` is the parent of the site, which would outlive it.
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    (site, format!("http://localhost:{port}"))
}

/// A browser.
fn browser() -> Client {
    let browser = Client::builder().cookie_store(true).no_proxy();
    browser.redirect(Policy::none()).build().unwrap()
}

/// A page, once the site serves.
async fn page(browser: &Client, url: &str) -> String {
    for _ in 0..600 {
        if let Ok(response) = browser.get(url).send().await {
            return response.text().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{url} does not answer");
}

async fn logs_in_and_out(language: &str, command: &[&str], file: &str) {
    let clef = ClefService::builder().start().await.unwrap();
    let (mut site, url) = start(&clef, language, command, file).await;
    let (browser, thief) = (browser(), browser());
    for person in &PEOPLE {
        assert!(page(&browser, &url).await.contains("Log in"));
        let start = browser.get(format!("{url}/log-in")).send().await.unwrap();
        let login: Url = start.headers()["location"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(login.as_str().starts_with(&clef.url()) && login.path() == "/iframes/qr");
        assert!(login.query().unwrap().contains(TEST_APPLICATIONS[0].id()));
        let callback = clef.approve(person.id(), login.as_str()).await.unwrap();
        let stolen = thief.get(callback.as_str()).send().await.unwrap();
        assert_eq!(stolen.status(), 403, "another browser did not begin it");
        let end = browser.get(callback.as_str()).send().await.unwrap();
        assert_eq!(end.status(), 303);
        assert!(page(&browser, &url).await.contains(person.first_name()));
        let told = clef.log_out(person.id()).await.unwrap();
        assert!(
            told.iter().any(|delivery| delivery.status == Some(200)),
            "{told:?}"
        );
        assert!(page(&browser, &url).await.contains("Log in"), "logged out");
    }
    let group = format!("-{}", site.id().unwrap());
    Command::new("kill")
        .args(["--", &group])
        .status()
        .await
        .unwrap();
    site.wait().await.unwrap();
}

#[tokio::test]
#[ignore = "needs python3: cargo test -p clef-dev --test readme python -- --ignored"]
async fn the_site_in_python_logs_in_and_out() {
    logs_in_and_out("python", &["python3"], "site.py").await;
}

#[tokio::test]
#[ignore = "needs go: cargo test -p clef-dev --test readme go -- --ignored"]
async fn the_site_in_go_logs_in_and_out() {
    logs_in_and_out("go", &["go", "run"], "site.go").await;
}
