//! The examples by a person: a real browser, windows, clicks.
//!
//! `cargo test --test quickstart -- --ignored` runs these, with Debian's `chromium` and
//! `chromium-driver` or what `CHROMEDRIVER` names; `.ci/run` does, and installs them where they
//! are missing. With `PICTURES` set to a folder, the pictures of the README are taken on the way.

use std::{env, future::Future, path::PathBuf, process::Stdio};

use axum::{Router, response::Html, routing::get};
use axum_clef::{
    ClefButton, ClefLayer, LoggedIn,
    clef::Clef as ClefClient,
    dev::{ClefService, TEST_APPLICATIONS},
    stores::{Account, MemoryUserStore},
};
use thirtyfour::{
    By, ChromiumLikeCapabilities as _, DesiredCapabilities, Key, WebDriver, WebElement,
    WindowHandle,
    error::{WebDriverError, WebDriverResult},
    extensions::query::ElementQueryable as _,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::Command,
};
use tower_sessions::MemoryStore;

use crate::program::{Clef, Quickstart};

/// A browser.
#[derive(Clone)]
struct Browser(WebDriver);

/// Starts a browser, lets a story happen in it, and closes it however the story ends.
async fn in_a_browser<F: Future<Output = WebDriverResult<()>>>(story: impl FnOnce(Browser) -> F) {
    let program = env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
    let mut chromedriver = Command::new(&program)
        .arg("--port=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{program}: {error}; install Debian's chromium and chromium-driver")
        });
    let mut lines = BufReader::new(chromedriver.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            break port.trim_end_matches('.').to_owned();
        }
    };
    let directory = tempfile::tempdir().unwrap();
    let user_data = format!("--user-data-dir={}", directory.path().display());
    let mut chrome = DesiredCapabilities::chrome();
    for argument in [
        "--headless=new",
        // The sandbox asks for what few containers give, and these pages are our own.
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=900,1100",
        // Nobody is asked but this machine.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-quic",
        "--disable-sync",
        "--no-first-run",
        &user_data,
    ] {
        chrome.add_arg(argument).unwrap();
    }
    let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), chrome)
        .await
        .unwrap();
    let outcome = driver.run_and_quit(|driver| story(Browser(driver))).await;
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

impl Browser {
    async fn open(&self, url: &str) -> WebDriverResult<()> {
        self.0.goto(url).await
    }

    /// The link or button with this name, once it is there.
    async fn control(&self, name: &str) -> WebDriverResult<WebElement> {
        let path = format!(
            "//a[contains(normalize-space(), \"{name}\")] | \
             //button[contains(normalize-space(), \"{name}\")]"
        );
        self.0.query(By::XPath(path)).and_displayed().first().await
    }

    async fn press(&self, name: &str) -> WebDriverResult<()> {
        self.control(name).await?.click().await
    }

    /// Waits until the page has this headline.
    async fn sees(&self, headline: &str) -> WebDriverResult<()> {
        let path = format!("//h1[contains(normalize-space(), \"{headline}\")]");
        self.0.query(By::XPath(path)).first().await.map(|_| ())
    }

    /// Presses what opens another window, and goes there: the window left.
    async fn press_for_a_window(&self, name: &str) -> WebDriverResult<WindowHandle> {
        let here = self.0.window().await?;
        let before = self.0.windows().await?;
        self.press(name).await?;
        self.go_to_the_new_window(&before).await?;
        Ok(here)
    }

    /// Waits for a window that was not there `before`, and goes there.
    async fn go_to_the_new_window(&self, before: &[WindowHandle]) -> WebDriverResult<()> {
        for _ in 0..200 {
            let windows = self.0.windows().await?;
            if let Some(new) = windows.into_iter().find(|window| !before.contains(window)) {
                return self.0.switch_to_window(new).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(WebDriverError::NotFound(
            "a new window".to_owned(),
            "no window was opened".to_owned(),
        ))
    }

    /// On the wave: opens the phone in a second window, as whoever it is, and answers there.
    /// Gives the window of the phone; the browser is back at the site's.
    async fn answer_on_the_phone(
        &self,
        person: Option<&str>,
        answer: &str,
    ) -> WebDriverResult<WindowHandle> {
        let site = self.press_for_a_window("Open the phone").await?;
        if let Some(person) = person {
            self.press(person).await?;
        }
        self.press(answer).await?;
        // The answer has arrived once the phone has nothing left to ask.
        let asked = self.0.query(By::XPath(format!(
            "//button[normalize-space() = \"{answer}\"]"
        )));
        asked.wait_until_gone().await?;
        let phone = self.0.window().await?;
        self.0.switch_to_window(site).await?;
        Ok(phone)
    }

    /// "Log out now" on the phone, which must end well; then back to the window before.
    async fn log_out_on(&self, phone: &WindowHandle) -> WebDriverResult<()> {
        let site = self.0.window().await?;
        self.0.switch_to_window(phone.clone()).await?;
        self.press("Log out now").await?;
        self.sees("is logged out").await?;
        self.0.switch_to_window(site).await
    }

    /// Takes a picture for the README, if pictures are wanted.
    async fn picture(&self, name: &str) -> WebDriverResult<()> {
        let Ok(folder) = env::var("PICTURES") else {
            return Ok(());
        };
        let path = PathBuf::from(folder).join(format!("{name}.png"));
        self.0.screenshot(&path).await
    }
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn log_in_by_the_wave_and_out_by_the_phone() {
    let quickstart = Quickstart::start().await;
    in_a_browser(async |browser| {
        // The page first asked for is where the login leads.
        browser
            .open(&format!("{}/account", quickstart.site))
            .await?;
        let phone = browser
            .answer_on_the_phone(Some("Alex Rivers"), "Approve")
            .await?;
        browser.sees("Your account").await?;

        // The next click after "Log out now" is refused.
        browser.log_out_on(&phone).await?;
        browser.press("Front page").await?;
        browser.sees("The Reading Room").await?;

        // By the button, on a page that anybody may see. The phone is still Alex's.
        browser.picture("site").await?;
        browser.press("Log in with Clef").await?;
        browser.control("Open the phone").await?;
        browser.picture("wave").await?;
        let phone = browser.answer_on_the_phone(None, "Approve").await?;
        browser.sees("Your account").await?;
        let site = browser.0.window().await?;
        browser.0.switch_to_window(phone).await?;
        browser.picture("phone").await?;
        browser.0.switch_to_window(site).await?;
        browser.press("Sign out on this device").await?;
        browser.control("Log in with Clef").await.map(|_| ())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_login_refused_on_the_phone_says_so_and_can_begin_again() {
    let quickstart = Quickstart::start().await;
    in_a_browser(async |browser| {
        browser
            .open(&format!("{}/account", quickstart.site))
            .await?;
        browser
            .answer_on_the_phone(Some("Noor Haddad"), "Refuse")
            .await?;
        browser.press("Try again").await?;
        browser.answer_on_the_phone(None, "Refuse").await?;
        browser.press("Back to").await?;
        browser.sees("The login was not finished").await?;
        browser.press("Log in with Clef").await?;
        browser.answer_on_the_phone(None, "Approve").await?;
        browser.sees("Your account").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn two_sites_one_click_and_one_tap() {
    let clef = Clef::start().await;
    let sites = [
        Quickstart::start_at(&clef).await,
        Quickstart::start_at(&clef).await,
    ];
    in_a_browser(async |browser| {
        browser.open(&format!("{}/account", sites[0].site)).await?;
        let phone = browser
            .answer_on_the_phone(Some("Alex Rivers"), "Approve")
            .await?;
        browser.sees("Your account").await?;
        // Already logged in here: the second site asks one click.
        browser.open(&format!("{}/account", sites[1].site)).await?;
        browser.press("Continue").await?;
        browser.sees("Your account").await?;

        browser.log_out_on(&phone).await?;
        for site in &sites {
            browser.open(&format!("{}/account", site.site)).await?;
            browser.control("Open the phone").await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn by_the_keyboard_alone() {
    let quickstart = Quickstart::start().await;
    in_a_browser(async |browser| {
        browser.open(&quickstart.site).await?;
        let press = async |name: &str| {
            browser.control(name).await?;
            // From one stop to the next until it is reached, as people do.
            for _ in 0..20 {
                let body = browser.0.active_element().await?;
                if body.text().await?.contains(name) && body.tag_name().await? != "body" {
                    return body.send_keys(Key::Enter + "").await;
                }
                body.send_keys(Key::Tab + "").await?;
            }
            panic!("{name} cannot be reached by the keyboard");
        };
        press("Log in with Clef").await?;
        let site = browser.0.window().await?;
        press("Open the phone").await?;
        browser
            .go_to_the_new_window(std::slice::from_ref(&site))
            .await?;
        press("Teo Lindqvist").await?;
        press("Approve").await?;
        browser.0.switch_to_window(site).await?;
        browser.sees("Your account").await
    })
    .await;
}

/// A site of another make: the wave inside its page.
async fn embedding_site(clef: &ClefService) -> String {
    async fn home(user: Option<LoggedIn<Account>>, button: ClefButton) -> Html<String> {
        Html(match user {
            Some(LoggedIn(user)) => {
                format!(
                    "<h1>Hello, {}</h1>",
                    user.profile().name().unwrap_or_default()
                )
            }
            None => format!("<h1>Come in</h1>{}", button.embed().html()),
        })
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let application = &TEST_APPLICATIONS[1];
    let provider = ClefClient::new(application.id(), application.secret())
        .base_url(&clef.url())
        .unwrap();
    let auth = ClefLayer::new(
        &site,
        provider,
        MemoryUserStore::new(),
        MemoryStore::default(),
    )
    .unwrap();
    let app = Router::new()
        .route("/", get(home))
        .merge(auth.routes())
        .layer(auth);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    site
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn the_wave_inside_the_page_takes_the_whole_page_along() {
    let clef = ClefService::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let site = embedding_site(&clef).await;
    in_a_browser(async |browser| {
        browser.open(&site).await?;
        browser.sees("Come in").await?;
        let frame = browser.0.query(By::Tag("iframe")).first().await?;
        assert!(
            frame
                .attr("title")
                .await?
                .is_some_and(|title| !title.is_empty())
        );
        frame.enter_frame().await?;
        let site = browser.press_for_a_window("Open the phone").await?;
        browser.press("Alex Rivers").await?;
        browser.press("Approve").await?;
        browser.0.switch_to_window(site).await?;
        browser.sees("Hello, Alex Rivers").await?;

        clef.log_out("12345").await.unwrap();
        browser.0.refresh().await?;
        browser.sees("Come in").await
    })
    .await;
}
