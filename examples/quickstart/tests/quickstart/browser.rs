//! A real browser, and what a person does with one.

use std::{env, future::Future, path::PathBuf, process::Stdio, time::Duration};

use thirtyfour::{
    By, ChromiumLikeCapabilities as _, DesiredCapabilities, WebDriver, WebElement, WindowHandle,
    error::{WebDriverError, WebDriverResult},
    extensions::query::ElementQueryable as _,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::sleep,
};

/// A browser.
#[derive(Clone)]
pub struct Browser(pub WebDriver);

/// Starts a browser, lets a story happen in it, and closes it however the story ends.
pub async fn in_a_browser<F: Future<Output = WebDriverResult<()>>>(
    story: impl FnOnce(Browser) -> F,
) {
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
    pub async fn open(&self, url: &str) -> WebDriverResult<()> {
        self.0.goto(url).await
    }

    /// The link or button with this name, once it is there.
    pub async fn control(&self, name: &str) -> WebDriverResult<WebElement> {
        let path = format!(
            "//a[contains(normalize-space(), \"{name}\")] | \
             //button[contains(normalize-space(), \"{name}\")]"
        );
        self.0.query(By::XPath(path)).and_displayed().first().await
    }

    pub async fn press(&self, name: &str) -> WebDriverResult<()> {
        self.control(name).await?.click().await
    }

    /// Waits until the page has this headline.
    pub async fn sees(&self, headline: &str) -> WebDriverResult<()> {
        let path = format!("//h1[contains(normalize-space(), \"{headline}\")]");
        self.0.query(By::XPath(path)).first().await.map(|_| ())
    }

    /// Presses what opens another window, and goes there: the window left.
    pub async fn press_for_a_window(&self, name: &str) -> WebDriverResult<WindowHandle> {
        let here = self.0.window().await?;
        let before = self.0.windows().await?;
        self.press(name).await?;
        self.go_to_the_new_window(&before).await?;
        Ok(here)
    }

    /// Waits for a window that was not there `before`, and goes there.
    pub async fn go_to_the_new_window(&self, before: &[WindowHandle]) -> WebDriverResult<()> {
        for _ in 0..200 {
            let windows = self.0.windows().await?;
            if let Some(new) = windows.into_iter().find(|window| !before.contains(window)) {
                return self.0.switch_to_window(new).await;
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(WebDriverError::NotFound(
            "a new window".to_owned(),
            "no window was opened".to_owned(),
        ))
    }

    /// Waits until a window has closed itself.
    pub async fn is_rid_of(&self, window: &WindowHandle) -> WebDriverResult<()> {
        for _ in 0..200 {
            if !self.0.windows().await?.contains(window) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(WebDriverError::NotFound(
            "the end of a window".to_owned(),
            "it did not close".to_owned(),
        ))
    }

    /// On the wave: opens the phone in a second window, as whoever it is, and answers there.
    /// Gives the window of the phone; the browser is back at the site's.
    pub async fn answer_on_the_phone(
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
    pub async fn log_out_on(&self, phone: &WindowHandle) -> WebDriverResult<()> {
        let site = self.0.window().await?;
        self.0.switch_to_window(phone.clone()).await?;
        self.press("Log out now").await?;
        self.sees("is logged out").await?;
        self.0.switch_to_window(site).await
    }

    /// Takes a picture for the guide, if pictures are wanted.
    pub async fn picture(&self, name: &str) -> WebDriverResult<()> {
        let Ok(folder) = env::var("PICTURES") else {
            return Ok(());
        };
        let path = PathBuf::from(folder).join(format!("{name}.png"));
        self.0.screenshot(&path).await
    }

    /// Whether the page can tell that of itself.
    pub async fn is(&self, condition: &str) -> WebDriverResult<bool> {
        let script = format!("return Boolean({condition})");
        let value = self.0.execute(script, Vec::new()).await?;
        Ok(value.json().as_bool() == Some(true))
    }

    /// Waits for something that the page can tell of itself.
    pub async fn waits_for(&self, condition: &str) -> WebDriverResult<()> {
        for _ in 0..200 {
            if self.is(condition).await? {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(WebDriverError::NotFound(
            condition.to_owned(),
            "it did not come".to_owned(),
        ))
    }
}
