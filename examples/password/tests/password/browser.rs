//! The site by a person: the program itself, and real browsers.
//!
//! `cargo test -p password --test password -- --ignored` runs this, with Debian's `chromium` and
//! `chromium-driver` or what `CHROMEDRIVER` names.

use std::process::Stdio;

use thirtyfour::{By, error::WebDriverResult, extensions::query::ElementQueryable as _};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::site::PASSWORD;

#[path = "../../../quickstart/tests/quickstart/browser.rs"]
#[expect(dead_code, reason = "some of it is for the quickstart")]
mod chromium;

use self::chromium::{Browser, in_a_browser};

const NEW: &str = "a newer sentence of mine";

/// Writes into the fields of a form.
async fn fill(browser: &Browser, fields: &[(&str, &str)]) -> WebDriverResult<()> {
    for (id, text) in fields {
        let field = browser.0.query(By::Id(*id)).first().await?;
        field.clear().await?;
        field.send_keys(*text).await?;
    }
    Ok(())
}

/// Waits until the page says this.
async fn says(browser: &Browser, sentence: &str) -> WebDriverResult<()> {
    browser
        .waits_for(&format!("document.body.innerText.includes(\"{sentence}\")"))
        .await
}

#[tokio::test]
#[ignore = "needs a browser: cargo test -p password --test password -- --ignored"]
async fn sign_up_change_the_password_and_delete_the_account() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_password"))
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
        here.open(site).await?;
        here.press("Sign up").await?;
        fill(&here, &[("name", "alex"), ("password", "short")]).await?;
        here.0.find(By::Css("button")).await?.click().await?;
        says(&here, "Use 15 characters or more").await?;
        fill(&here, &[("password", PASSWORD)]).await?;
        here.0.find(By::Css("button")).await?.click().await?;
        here.sees("Your account").await?;
        assert!(directory.path().join("password.db").exists());

        in_a_browser(async |there| {
            // The page that was asked for is where the login leads, also at the second attempt.
            there.open(&account).await?;
            fill(&there, &[("name", "alex"), ("password", "wrong")]).await?;
            there.press("Log in").await?;
            says(&there, "The name or the password is wrong.").await?;
            fill(&there, &[("name", "alex"), ("password", PASSWORD)]).await?;
            there.press("Log in").await?;
            there.sees("Your account").await?;

            here.press("Change the password").await?;
            fill(&here, &[("current", PASSWORD), ("new", NEW)]).await?;
            here.press("Change the password").await?;
            says(&here, "All other logins have ended.").await?;
            here.open(&account).await?;
            here.sees("Your account").await?;
            there.open(&account).await?;
            there.sees("Log in").await?;

            fill(&there, &[("name", "alex"), ("password", NEW)]).await?;
            there.press("Log in").await?;
            there.press("Log out everywhere").await?;
            there.sees("The Reading Room").await?;
            here.open(&account).await?;
            here.sees("Log in").await
        })
        .await;

        fill(&here, &[("name", "alex"), ("password", NEW)]).await?;
        here.press("Log in").await?;
        here.sees("Your account").await?;
        // As the guard does, once the login is older.
        here.open(&format!("{site}/log-in?max_age=600&next=/account/delete"))
            .await?;
        says(&here, "Please log in again to continue.").await?;
        fill(&here, &[("name", "alex"), ("password", "wrong")]).await?;
        here.press("Log in").await?;
        says(&here, "The name or the password is wrong.").await?;
        says(&here, "Please log in again to continue.").await?;
        fill(&here, &[("name", "alex"), ("password", NEW)]).await?;
        here.press("Log in").await?;
        says(&here, "This cannot be undone.").await?;
        here.press("Delete the account").await?;
        here.sees("The Reading Room").await?;
        here.open(&account).await?;
        here.sees("Log in").await
    })
    .await;
}
