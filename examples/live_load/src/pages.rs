//! Pages that stay open, and ordinary requests beside them.

use std::{sync::Arc, time::Duration};

use test_support::LivePage;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{Failure, PATIENCE, figures::Figures, node::Node, settings::Settings};

/// How many open at once.
const OPENING: usize = 64;
/// How many browsers make ordinary requests, and for how long.
const BROWSERS: usize = 8;
const REQUESTS_FOR: Duration = Duration::from_secs(5);
/// Between two logouts.
const PAUSE: Duration = Duration::from_millis(50);

/// Open pages.
pub struct Pages {
    /// Whose pages were told of a logout, and when.
    told: mpsc::UnboundedReceiver<(usize, Instant)>,
}

impl Pages {
    /// Opens all pages, and waits until each was told that its login counts.
    ///
    /// # Errors
    ///
    /// When one is not.
    pub async fn open(
        node: &Node,
        settings: &Settings,
        cookies: &[String],
    ) -> Result<Self, Failure> {
        let opening = Arc::new(Semaphore::new(OPENING));
        let (tell, told) = mpsc::unbounded_channel();
        let (opened, mut all) = mpsc::unbounded_channel();
        for number in 0..settings.pages {
            let person = number / settings.each;
            let (site, cookies) = (node.address, cookies[person].clone());
            let (opening, opened, tell) = (Arc::clone(&opening), opened.clone(), tell.clone());
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
        Ok(Self { told })
    }

    /// Logs people out in turn: how long from the notice to the last of their pages, and no other
    /// person's.
    ///
    /// # Errors
    ///
    /// When a page is not told, or one of another person is.
    pub async fn log_out(&mut self, node: &Node, settings: &Settings) -> Result<Figures, Failure> {
        let mut times = Vec::new();
        for person in 0..settings.logouts.min(settings.people()) {
            let begun = Instant::now();
            let notice = node.log_out(person, 0);
            let all_told = async {
                let mut last = begun;
                for _ in 0..settings.pages_of(person) {
                    let told = timeout(PATIENCE, self.told.recv()).await?;
                    let (whose, at) = told.ok_or("no page is left")?;
                    if whose != person {
                        let error = format!("a page of {whose} was told, not of {person}");
                        return Err(Failure::from(error));
                    }
                    last = last.max(at);
                }
                Ok(last)
            };
            let (_, last) = tokio::try_join!(notice, all_told)?;
            times.push(last - begun);
            sleep(PAUSE).await;
        }
        Ok(Figures::of(times))
    }
}

/// How long ordinary requests take, at each node with the cookies of its people. The nodes take turns,
/// so that whatever else the machine does falls on all of them.
///
/// # Errors
///
/// When one is not served.
pub async fn requests<const N: usize>(
    nodes: [(&Node, &[String]); N],
) -> Result<[Figures; N], Failure> {
    let end = Instant::now() + REQUESTS_FOR;
    let mut browsers = JoinSet::new();
    for number in 0..BROWSERS {
        let requests = nodes.map(|(node, cookies)| {
            let url = format!("http://{}/account", node.address);
            let request = node.http.get(url);
            request.header("cookie", &cookies[number % cookies.len()])
        });
        browsers.spawn(async move {
            let mut times = [const { Vec::new() }; N];
            while Instant::now() < end {
                for (request, times) in requests.iter().zip(&mut times) {
                    let request = request.try_clone().ok_or("a request has a stream")?;
                    let begun = Instant::now();
                    let answer = request.send().await?.error_for_status()?;
                    answer.bytes().await?;
                    times.push(begun.elapsed());
                    sleep(Duration::from_millis(5)).await;
                }
            }
            Ok::<_, Failure>(times)
        });
    }
    let mut all = [const { Vec::new() }; N];
    while let Some(times) = browsers.join_next().await {
        for (all, times) in all.iter_mut().zip(times??) {
            all.extend(times);
        }
    }
    Ok(all.map(Figures::of))
}
