//! The site by a person: the program itself, and a real browser with a virtual authenticator.
//!
//! `cargo test -p passkey --test passkey -- --ignored` runs this, with Debian's `chromium` and
//! `chromium-driver` or what `CHROMEDRIVER` names.

use std::process::Stdio;

use reqwest::Client;
use serde_json::{Value, json};
use thirtyfour::{By, error::WebDriverResult, extensions::query::ElementQueryable as _};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

#[path = "../../../quickstart/tests/quickstart/browser.rs"]
#[expect(dead_code, reason = "some of it is for the quickstart")]
mod chromium;

use self::chromium::{Browser, in_a_browser};

/// A virtual authenticator of a browser (WebAuthn Level 2, section 11), which thirtyfour has no
/// command for.
struct Authenticator {
    url: String,
}

impl Authenticator {
    /// One like a phone: it verifies its user, and keeps passkeys that are found without a name.
    async fn of(browser: &Browser) -> Self {
        let handle = browser.0.handle();
        let url = format!(
            "{}session/{}/webauthn/authenticator",
            handle.server_url(),
            handle.session_id()
        );
        let body = json!({
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserVerified": true,
        });
        let id = send(&url, Some(&body)).await;
        let id = id.as_str().unwrap();
        Self {
            url: format!("{url}/{id}"),
        }
    }

    /// Its passkeys.
    async fn credentials(&self) -> Vec<Value> {
        let credentials = send(&format!("{}/credentials", self.url), None).await;
        credentials.as_array().unwrap().clone()
    }

    /// Breaks it.
    async fn remove(self) {
        let response = Client::new().delete(self.url).send().await.unwrap();
        assert!(response.status().is_success());
    }
}

/// A command of WebDriver.
async fn send(url: &str, body: Option<&Value>) -> Value {
    let client = Client::new();
    let request = match body {
        Some(body) => client.post(url).json(body),
        None => client.get(url),
    };
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert!(answer["value"]["error"].is_null(), "{answer}");
    answer["value"].clone()
}

async fn says(browser: &Browser, sentence: &str) -> WebDriverResult<()> {
    browser
        .waits_for(&format!("document.body.innerText.includes(\"{sentence}\")"))
        .await
}

async fn fill(browser: &Browser, text: &str) -> WebDriverResult<()> {
    let field = browser.0.query(By::Id("name")).first().await?;
    field.clear().await?;
    field.send_keys(text).await
}

#[tokio::test]
#[ignore = "needs a browser: cargo test -p passkey --test passkey -- --ignored"]
async fn sign_up_log_in_add_a_passkey_and_remove_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_passkey"))
        .env("SITE_ADDR", "127.0.0.1:0")
        .current_dir(&directory)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let site = line.strip_prefix("The site: ").unwrap();
    let account = format!("{site}/account");

    in_a_browser(async |here| {
        let phone = Authenticator::of(&here).await;
        // By the IP address, which leads to the name.
        here.open(&site.replace("localhost", "127.0.0.1")).await?;
        here.press("Sign up").await?;
        here.picture("sign_up").await?;
        fill(&here, "Alex").await?;
        here.press("Make a passkey").await?;
        here.sees("Your account").await?;
        here.picture("one").await?;
        assert_eq!(phone.credentials().await.len(), 1);

        here.press("Sign out").await?;
        here.sees("The Reading Room").await?;
        here.open(&account).await?;
        here.sees("Log in").await?;
        here.picture("log_in").await?;
        here.press("Log in with a passkey").await?;
        here.sees("Your account").await?;
        says(&here, "last used").await?;

        // The phone has one for this account.
        here.press("Add a passkey").await?;
        here.sees("Add a passkey").await?;
        here.press("Make a passkey").await?;
        says(&here, "This device has a passkey for this account already.").await?;
        here.picture("already").await?;
        // A key, when the phone is out of reach.
        phone.remove().await;
        let key = Authenticator::of(&here).await;
        fill(&here, "My key").await?;
        here.press("Make a passkey").await?;
        here.sees("Your account").await?;
        says(&here, "My key").await?;
        here.picture("two").await?;
        assert_eq!(key.credentials().await.len(), 1);

        // The phone is lost: its passkey goes, and every login with it.
        here.press("Remove “First passkey”").await?;
        here.sees("Log in").await?;
        here.press("Log in with a passkey").await?;
        here.sees("Your account").await?;
        let removal = "document.body.innerText.includes(\"Remove “\")";
        assert!(!here.is(removal).await?, "the last one stays");

        here.press("Log out everywhere").await?;
        here.sees("The Reading Room").await?;
        key.remove().await;
        let stranger = Authenticator::of(&here).await;
        here.open(&account).await?;
        here.press("Log in with a passkey").await?;
        says(&here, "No passkey was used. Please try again.").await?;
        here.picture("cancelled").await?;
        stranger.remove().await;
        Ok(())
    })
    .await;
}
