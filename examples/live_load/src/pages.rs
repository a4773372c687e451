//! The process with the pages. It reads what to do from its input, and answers with a line.

use std::{
    io::{self, BufRead},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    runtime::Runtime,
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, timeout},
};

use test_support::LivePage;

use crate::{Failure, figures::Figures, settings::Settings};

/// How many open at once.
const OPENING: usize = 64;
/// How many browsers make ordinary requests, and for how long.
const BROWSERS: usize = 8;
const REQUESTS_FOR: Duration = Duration::from_secs(5);
/// Between two logouts.
const PAUSE: Duration = Duration::from_millis(50);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a page was told: of which person it is, and when.
type Told = (usize, Instant);

struct Pages {
    site: SocketAddr,
    /// Those of each person's browser.
    cookies: Vec<String>,
    told: mpsc::UnboundedReceiver<Told>,
    tell: mpsc::UnboundedSender<Told>,
}

pub fn run(runtime: &Runtime, site: SocketAddr, settings: &Settings) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let (tell, told) = mpsc::unbounded_channel();
    let mut pages = Pages {
        site,
        cookies: until_empty(&mut input)?,
        told,
        tell,
    };
    // The pages go on while this waits for a line: they have threads of their own.
    for what in input.lines() {
        let done = match what?.as_str() {
            "requests" => runtime.block_on(pages.requests()),
            "open" => runtime.block_on(pages.open(settings)),
            "logouts" => runtime.block_on(pages.logouts(settings)),
            other => Err(format!("nobody knows how to {other}").into()),
        };
        println!("{}", done?);
    }
    Ok(())
}

fn until_empty(input: &mut impl BufRead) -> io::Result<Vec<String>> {
    let lines = input.lines();
    lines
        .take_while(|line| line.as_ref().map_or(true, |line| !line.is_empty()))
        .collect()
}

impl Pages {
    /// Opens all pages, and waits until each was told that its login counts.
    async fn open(&mut self, settings: &Settings) -> Result<String, Failure> {
        let begun = Instant::now();
        let opening = Arc::new(Semaphore::new(OPENING));
        let (opened, mut all) = mpsc::unbounded_channel();
        for number in 0..settings.pages {
            let person = number / settings.each;
            let (site, cookies) = (self.site, self.cookies[person].clone());
            let (opening, opened, tell) = (Arc::clone(&opening), opened.clone(), self.tell.clone());
            tokio::spawn(async move {
                let permit = opening.acquire().await;
                let mut page = LivePage::open(site, &cookies).await?;
                let event = page.event().await?;
                let _ = opened.send(event.as_deref() == Some("logged-in"));
                drop(permit);
                if page.event().await?.as_deref() == Some("logged-out") {
                    let _ = tell.send((person, Instant::now()));
                }
                Ok::<_, std::io::Error>(())
            });
        }
        for _ in 0..settings.pages {
            if timeout(PATIENCE, all.recv()).await? != Some(true) {
                return Err("a page is not told that its login counts".into());
            }
        }
        let took = begun.elapsed().as_secs_f64();
        Ok(format!("{} in {took:.1} s", settings.pages))
    }

    /// How long ordinary requests of people who are logged in take.
    async fn requests(&self) -> Result<String, Failure> {
        let end = Instant::now() + REQUESTS_FOR;
        let browsers = (0..BROWSERS).map(|number| {
            let url = format!("http://{}/account", self.site);
            let cookies = self.cookies[number % self.cookies.len()].clone();
            tokio::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build()?;
                let mut times = Vec::new();
                while Instant::now() < end {
                    let begun = Instant::now();
                    let answer = client.get(&url).header("cookie", &cookies).send().await?;
                    answer.error_for_status()?.bytes().await?;
                    times.push(begun.elapsed());
                    sleep(Duration::from_millis(5)).await;
                }
                Ok::<_, reqwest::Error>(times)
            })
        });
        let mut times = Vec::new();
        for browser in browsers.collect::<Vec<_>>() {
            times.extend(browser.await??);
        }
        Ok(Figures::of(times).to_string())
    }

    /// Logs people out in turn: how long from the webhook to the last of their pages, and nobody
    /// else's.
    async fn logouts(&mut self, settings: &Settings) -> Result<String, Failure> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://{}/clef/logout", self.site);
        let mut times = Vec::new();
        for person in 0..settings.logouts.min(settings.people()) {
            let token = format!("token:{person}");
            let begun = Instant::now();
            let notice = client.post(&url).form(&[("logout_token", token)]).send();
            let notice = tokio::spawn(notice);
            let mut last = begun;
            for _ in 0..settings.pages_of(person) {
                let told = timeout(PATIENCE, self.told.recv()).await?;
                let (whose, at) = told.ok_or("no page is left")?;
                if whose != person {
                    return Err(format!("a page of {whose} was told, not of {person}").into());
                }
                last = last.max(at);
            }
            notice.await??.error_for_status()?;
            times.push(last - begun);
            sleep(PAUSE).await;
        }
        Ok(Figures::of(times).to_string())
    }
}
