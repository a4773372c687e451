//! A real browser, its look, and axe-core in it.

use std::{env, fs, path::Path, process::Stdio, sync::Arc, time::Duration};

use serde_json::{Value, json};
use thirtyfour::{
    ChromiumLikeCapabilities as _, DesiredCapabilities, Key, WebDriver, cdp::Cdp,
    error::WebDriverResult,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

/// Runs axe-core, which the script begins with, and hands over what it finds.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then(
        (results) => done(results.violations.map((violation) =>
            violation.id + ': ' + violation.nodes.map((node) => node.html).join(' '))),
        (error) => done([String(error)]));";

pub struct Browser(pub WebDriver);

/// What the screen is, and what its user prefers.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    width: u16,
    scheme: &'static str,
}

impl Look {
    pub const fn new(width: u16, scheme: &'static str) -> Self {
        Self { width, scheme }
    }
}

/// Starts a browser, runs a test in it, and closes it however the test ends.
pub async fn in_a_browser(test: impl AsyncFnOnce(Browser) -> WebDriverResult<()>) {
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
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--lang=en",
        &user_data,
    ] {
        chrome.add_arg(argument).unwrap();
    }
    let url = format!("http://127.0.0.1:{port}");
    let driver = WebDriver::new(url, chrome).await.unwrap();
    let timeout = Duration::from_secs(30);
    driver.set_script_timeout(timeout).await.unwrap();
    let outcome = driver.run_and_quit(async |driver| test(Browser(driver)).await);
    if let Err(error) = outcome.await {
        panic!("{error}");
    }
}

impl Browser {
    /// Takes on a look.
    pub async fn looks(&self, look: Look) -> WebDriverResult<()> {
        let tools = Cdp::new(Arc::clone(self.0.handle()));
        let size = json!({
            "width": look.width, "height": 640, "deviceScaleFactor": 1, "mobile": false,
        });
        tools
            .send_raw("Emulation.setDeviceMetricsOverride", size)
            .await?;
        let scheme = json!({
            "features": [{ "name": "prefers-color-scheme", "value": look.scheme }],
        });
        tools.send_raw("Emulation.setEmulatedMedia", scheme).await?;
        Ok(())
    }

    pub async fn has_no_violation(&self, name: &str, look: Look) -> WebDriverResult<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/axe");
        let file = folder.join("node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{error}; run `npm ci` in {}", folder.display()));
        let found = self.0.execute_async(format!("{axe};{RUN}"), vec![]).await?;
        assert_eq!(found.json(), &json!([]), "{name}, {look:?}");
        Ok(())
    }

    /// Nothing stands out at the side.
    pub async fn fits(&self, name: &str, look: Look) -> WebDriverResult<()> {
        let width = self.value("document.documentElement.scrollWidth").await?;
        let width = width.as_u64().unwrap();
        assert!(width <= look.width.into(), "{name}, {look:?}: {width}");
        Ok(())
    }

    /// Takes a picture, if pictures are wanted.
    pub async fn picture(&self, name: &str, look: Look) -> WebDriverResult<()> {
        let Ok(folder) = env::var("PICTURES") else {
            return Ok(());
        };
        let Look { width, scheme } = look;
        let file = format!("{name}-{width}-{scheme}.png");
        self.0.screenshot(&Path::new(&folder).join(file)).await
    }

    pub async fn presses(&self, key: Key) -> WebDriverResult<()> {
        self.0.action_chain().send_keys(key).perform().await
    }

    /// What an expression is.
    pub async fn value(&self, expression: &str) -> WebDriverResult<Value> {
        let value = self.0.execute(format!("return {expression}"), vec![]);
        Ok(value.await?.json().clone())
    }

    /// Waits until an expression holds.
    pub async fn waits_for(&self, condition: &str) -> WebDriverResult<()> {
        for _ in 0..200 {
            if self.value(&format!("Boolean({condition})")).await? == true {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{condition}")
    }
}
