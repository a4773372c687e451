//! The process that serves the site, as the one with the pages sees it.

use std::{env, net::SocketAddr, process::Stdio, time::Duration};

use reqwest::{Client, StatusCode};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::sleep,
};

use crate::{Failure, settings::Settings, site::Kind};

/// How soon a notice is sent again.
const COME_BACK_AFTER: Duration = Duration::from_secs(1);
/// How often it is sent at the most.
const MOST_ATTEMPTS: u32 = 10;

pub struct Node {
    pub address: SocketAddr,
    pub http: Client,
    second: SocketAddr,
    process: Child,
}

/// What the process tells of itself.
pub struct State {
    /// In KiB; `None` where the system does not tell.
    pub resident: Option<u64>,
    /// How often the user store was asked whether a login counts.
    pub asked: u64,
    /// How many pages are open; 0 for bare axum.
    pub pages: usize,
    /// Open file descriptors; 0 if unknown.
    pub files: u64,
    /// Tasks that have not ended.
    pub tasks: u64,
}

impl State {
    /// The memory; 0 if unknown.
    pub fn kib(&self) -> u64 {
        self.resident.unwrap_or_default()
    }
}

impl Node {
    /// # Errors
    ///
    /// When the process does not begin to serve.
    pub async fn start(kind: Kind, settings: &Settings) -> Result<Self, Failure> {
        let mut process = Command::new(env::current_exe()?)
            .env("LIVE_SITE", kind.name())
            .env("LIVE_PAGES_EACH", settings.each.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("no output of the site")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let addresses = line.trim_end().split_once(' ');
        let (address, second) = addresses.ok_or("the site has not begun to serve")?;
        Ok(Self {
            address: address.parse()?,
            http: Client::builder().no_proxy().build()?,
            second: second.parse()?,
            process,
        })
    }

    /// The cookies of a new login of this person.
    ///
    /// # Errors
    ///
    /// When the person cannot log in.
    pub async fn cookies(&self, person: usize) -> Result<String, Failure> {
        let url = format!("http://{}/cookies/{person}", self.second);
        let answer = self.http.get(url).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// # Errors
    ///
    /// When the site does not answer.
    pub async fn state(&self) -> Result<State, Failure> {
        let url = format!("http://{}/state", self.second);
        let text = self.http.get(url).send().await?.text().await?;
        let mut numbers = text.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next().ok_or("the site tells too little");
        let resident = next()??;
        Ok(State {
            resident: (resident > 0).then_some(resident),
            asked: next()??,
            pages: usize::try_from(next()??)?,
            files: next()??,
            tasks: next()??,
        })
    }

    /// Sends the notice that logs a person out, and again while it is answered with 503. `number`
    /// distinguishes it from earlier ones.
    ///
    /// # Errors
    ///
    /// When it is not answered with success in the end.
    pub async fn log_out(&self, person: usize, number: usize) -> Result<(), Failure> {
        let url = format!("http://{}/clef/logout", self.address);
        let token = format!("token:{person}:{number}");
        let notice = self.http.post(url).form(&[("logout_token", token)]);
        for _ in 0..MOST_ATTEMPTS {
            let notice = notice.try_clone().ok_or("a notice has a stream")?;
            let answer = notice.send().await?;
            if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                answer.error_for_status()?;
                return Ok(());
            }
            sleep(COME_BACK_AFTER).await;
        }
        Err("a notice was put off for good".into())
    }

    /// # Errors
    ///
    /// When the process does not end well.
    pub async fn end(mut self) -> Result<(), Failure> {
        drop(self.process.stdin.take());
        let status = self.process.wait().await?;
        match status.success() {
            true => Ok(()),
            false => Err("the site did not end well".into()),
        }
    }
}
