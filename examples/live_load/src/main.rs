//! Ten thousand open pages on one node, and what they cost: `cargo run -p live_load`.
//!
//! A site and, in a process of its own, the pages: so the memory is that of the site alone. Both
//! need one open file for each page; where the limit is lower than that, it is raised as far as
//! this user may (`ulimit -Hn`), and otherwise the example says so.
//!
//! `LIVE_PAGES` (10000) says how many pages, `LIVE_PAGES_EACH` (5) how many of them each person
//! has open, `LIVE_LOGOUTS` (200) how many people are logged out in turn.

mod figures;
mod limit;
mod pages;
mod settings;
mod site;

use std::{error::Error, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout},
};

use self::{settings::Settings, site::Site};

/// Whatever went wrong: the example says it and ends.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How long the site is left alone, to count what it asks its stores.
const ALONE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Failure> {
    let settings = Settings::from_environment()?;
    limit::raise(settings.files())?;
    let runtime = tokio::runtime::Runtime::new()?;
    match settings.site {
        Some(site) => pages::run(&runtime, site, &settings),
        None => runtime.block_on(run(&settings)),
    }
}

async fn run(settings: &Settings) -> Result<(), Failure> {
    let site = Site::start(settings).await?;
    let people = settings.people();
    println!(
        "{} pages of {people} people, in half a minute or so",
        settings.pages
    );
    let cookies = site.log_everybody_in(people).await?;
    let mut pages = Pages::start(site.address, cookies)?;
    println!("requests, no page open  {}", pages.tell("requests").await?);

    let before = figures::resident_kib();
    println!("pages opened            {}", pages.tell("open").await?);
    if site.layer.live_pages() != settings.pages {
        return Err(format!("{} pages are open", site.layer.live_pages()).into());
    }
    if let (Some(before), Some(after)) = (before, figures::resident_kib()) {
        let each = (after.saturating_sub(before)) as f64 / settings.pages as f64;
        println!("memory                  {each:.1} KiB for each page, connection and all");
    }
    let asked = site.questions();
    tokio::time::sleep(ALONE).await;
    let asked = site.questions() - asked;
    println!("users looked up         {asked} in ten seconds, for {people} people");
    println!("requests, pages open    {}", pages.tell("requests").await?);
    println!("logout to the last page {}", pages.tell("logouts").await?);
    pages.end().await
}

/// The process with the pages.
struct Pages {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    cookies: Option<Vec<String>>,
}

impl Pages {
    fn start(site: std::net::SocketAddr, cookies: Vec<String>) -> Result<Self, Failure> {
        let mut process = tokio::process::Command::new(std::env::current_exe()?)
            .env("LIVE_SITE", site.to_string())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let to = process.stdin.take().ok_or("no way to the pages")?;
        let from = process.stdout.take().ok_or("no way from the pages")?;
        Ok(Self {
            process,
            to,
            from: BufReader::new(from),
            cookies: Some(cookies),
        })
    }

    /// Has the pages do something; what came of it, in a line.
    async fn tell(&mut self, what: &str) -> Result<String, Failure> {
        if let Some(cookies) = self.cookies.take() {
            let lines: String = cookies.iter().map(|line| format!("{line}\n")).collect();
            self.to.write_all(lines.as_bytes()).await?;
            self.to.write_all(b"\n").await?;
        }
        self.to.write_all(format!("{what}\n").as_bytes()).await?;
        let mut line = String::new();
        if self.from.read_line(&mut line).await? == 0 {
            return Err("the pages have ended; what they said is above".into());
        }
        Ok(line.trim_end().to_owned())
    }

    async fn end(mut self) -> Result<(), Failure> {
        drop(self.to);
        let status = self.process.wait().await?;
        match status.success() {
            true => Ok(()),
            false => Err("the pages did not end well".into()),
        }
    }
}
