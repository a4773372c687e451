//! The site by a person: the program itself, and real browsers.
//!
//! `cargo test -p magic_link --test magic_link -- --ignored` runs this, with Debian's `chromium` and
//! `chromium-driver` or what `CHROMEDRIVER` names.

use std::process::Stdio;

use thirtyfour::{By, extensions::query::ElementQueryable as _};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{ChildStdout, Command},
};

#[path = "../../../quickstart/tests/quickstart/browser.rs"]
#[expect(dead_code, reason = "some of it is for the quickstart")]
mod chromium;

use self::chromium::{Browser, in_a_browser};

/// Waits for a link in the terminal.
async fn link(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.starts_with("http") {
            return line;
        }
    }
}

/// Waits until the page says this.
async fn says(browser: &Browser, sentence: &str) -> thirtyfour::error::WebDriverResult<()> {
    browser
        .waits_for(&format!("document.body.innerText.includes(\"{sentence}\")"))
        .await
}

#[tokio::test]
#[ignore = "needs a browser: cargo test -p magic_link --test magic_link -- --ignored"]
async fn request_a_link_here_and_log_in_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_magic_link"))
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
        // The page that was asked for is where the login leads, in both browsers.
        here.open(&account).await?;
        here.sees("Log in").await?;
        here.picture("ask").await?;
        let field = here.0.query(By::Id("email")).first().await?;
        field.send_keys("alex@example.com").await?;
        here.press("Send me a link").await?;
        here.sees("Read your mail").await?;
        here.picture("sent").await?;
        let first = link(&mut lines).await;

        in_a_browser(async |there| {
            there.open(&first).await?;
            there.sees("Log in here?").await?;
            says(
                &there,
                "This link was requested in another browser: Chrome on Linux.",
            )
            .await?;
            there.picture("there").await?;
            // A button under `Referrer-Policy: no-referrer`, whose `Origin` is null.
            there.press("Log in").await?;
            there.sees("Your account").await?;
            there.picture("account").await?;

            here.open(&first).await?;
            here.sees("This link no longer works").await?;
            here.picture("invalid").await?;
            here.press("Send me another link").await?;
            let field = here.0.query(By::Id("email")).first().await?;
            field.send_keys("ALEX@example.com").await?;
            here.press("Send me a link").await?;
            here.sees("Read your mail").await?;
            let second = link(&mut lines).await;
            here.open(&second).await?;
            says(&here, "You requested this link in this browser.").await?;
            here.picture("here").await?;
            here.press("Log in").await?;
            here.sees("Hello, alex@example.com.").await?;

            here.press("Your account").await?;
            here.press("Log out everywhere").await?;
            here.sees("The Reading Room").await?;
            there.open(&account).await?;
            there.sees("Log in").await
        })
        .await;
        Ok(())
    })
    .await;
}
