//! Ten thousand open pages on one node, and what they cost: `cargo run --release -p live_load`.
//!
//! A site in a process of its own, and the pages in this one: so the memory is that of the site
//! alone. Four sites take turns:
//!
//! 1. Bare axum, with streams of the same events that all end at once: what pages cost at the least.
//! 2. The pages of many people, of whom some are logged out in turn. Ordinary requests go to this site
//!    and, in turn, to one without open pages.
//! 3. One person with all pages, who is logged out.
//! 4. Pages that come and go, with logouts: memory, open files and tasks at each quarter.
//!
//! Both processes need one open file for each page; where the limit is lower than that, it is raised
//! as far as this user may (`ulimit -Hn`), and otherwise the example says so.
//!
//! - `LIVE_PAGES` (10000): how many pages.
//! - `LIVE_PAGES_EACH` (5): how many of them each person has open.
//! - `LIVE_LOGOUTS` (200): how many people are logged out in turn.
//! - `LIVE_SECONDS` (10): how long pages come and go.
//! - `LIVE_VISITORS` (100): how many people come and go. Each opens about a dozen pages a second.
//!
//! The last lines are for machines: `kib_per_page NAME VALUE`, `milliseconds NAME VALUE` and `ratio
//! NAME VALUE`; and `soak NAME VALUE`, the state of the site at each quarter of the coming and going.

mod coming_and_going;
mod figures;
mod limit;
mod node;
mod pages;
mod settings;
mod site;

use std::{error::Error, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use self::{
    coming_and_going::come_and_go,
    figures::Figures,
    node::{Node, State},
    pages::{Pages, requests},
    settings::Settings,
    site::Kind,
};

/// Whatever went wrong: the example says it and ends.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How long the pages are left alone: until each has had a sign of life.
const ALONE: Duration = Duration::from_secs(16);
/// How often the state is printed.
const MINUTE: Duration = Duration::from_secs(60);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let settings = Settings::from_environment()?;
    limit::raise(settings.files())?;
    match settings.site {
        Some(kind) => site::serve(kind, &settings).await,
        None => run(&settings).await,
    }
}

async fn run(settings: &Settings) -> Result<(), Failure> {
    let one_person = settings.of_one_person();
    println!("{} pages of bare axum", settings.pages);
    let bare = cost(Kind::Bare, &one_person).await?;
    println!("of {} people", settings.people());
    let many = cost(Kind::Stored, settings).await?;
    println!("of one person");
    let one = cost(Kind::Stored, &one_person).await?;
    println!("coming and going");
    let growth = soak(settings).await?;
    println!();
    for (name, kib) in [
        ("bare", bare.kib),
        ("many", many.kib),
        ("one_person", one.kib),
    ] {
        println!("kib_per_page live_{name} {kib:.1}");
    }
    for (name, milliseconds) in [
        ("logout_median", many.logouts.median()),
        ("logout_worst", many.logouts.worst()),
        ("logout_of_all_pages", one.logouts.worst()),
        ("logout_of_all_pages_bare", bare.logouts.worst()),
    ] {
        println!("milliseconds live_{name} {milliseconds:.2}");
    }
    let all_pages = one.logouts.worst() / bare.logouts.worst();
    for (name, ratio) in [
        ("memory_vs_bare", many.kib / bare.kib),
        ("request_vs_no_page", many.slowdown),
        ("logout_of_all_pages_vs_bare", all_pages),
        ("memory_end_vs_half", growth),
    ] {
        println!("ratio live_{name} {ratio:.3}");
    }
    Ok(())
}

/// What open pages cost.
struct Cost {
    kib: f64,
    logouts: Figures,
    /// How long a request takes, as a multiple of one to a site without open pages.
    slowdown: f64,
}

async fn cost(kind: Kind, settings: &Settings) -> Result<Cost, Failure> {
    let node = Node::start(kind, settings).await?;
    let cookies = log_in(&node, settings.people()).await?;
    let (mut pages, before) = open(&node, settings, &cookies).await?;
    let opened = node.state().await?;
    if kind != Kind::Bare && opened.pages != settings.pages {
        return Err(format!("{} pages are open", opened.pages).into());
    }
    sleep(ALONE).await;
    let after = node.state().await?;
    let kib = kib_per_page(&before, &after, settings);
    println!("  memory                  {kib:.1} KiB for each page, connection and all");
    let mut slowdown = f64::NAN;
    if kind != Kind::Bare {
        let (asked, seconds) = (after.asked - opened.asked, ALONE.as_secs());
        println!("  users looked up         {asked} in {seconds} s");
        slowdown = slowdown_of_requests(&node, &cookies, settings).await?;
    }
    let logouts = pages.log_out(&node, settings).await?;
    println!("  notice to the last page {logouts}");
    node.end().await?;
    Ok(Cost {
        kib,
        logouts,
        slowdown,
    })
}

async fn slowdown_of_requests(
    node: &Node,
    cookies: &[String],
    settings: &Settings,
) -> Result<f64, Failure> {
    let without = Node::start(Kind::Stored, settings).await?;
    let others = log_in(&without, 1).await?;
    let [beside, alone] = requests([(node, cookies), (&without, &others)]).await?;
    println!("  requests                {beside}");
    println!("  without open pages      {alone}");
    without.end().await?;
    Ok(beside.median() / alone.median())
}

/// Opens all pages. Returns the state before as well.
async fn open(
    node: &Node,
    settings: &Settings,
    cookies: &[String],
) -> Result<(Pages, State), Failure> {
    let before = node.state().await?;
    let begun = Instant::now();
    let pages = Pages::open(node, settings, cookies).await?;
    let took = begun.elapsed().as_secs_f64();
    println!("  opened                  in {took:.1} s");
    Ok((pages, before))
}

/// Pages that come and go. Returns the memory at the end as a multiple of that at the half.
async fn soak(settings: &Settings) -> Result<f64, Failure> {
    // A page that has hung up counts until the site notices.
    let roomy = Settings {
        each: settings.each * 10,
        ..*settings
    };
    let node = Arc::new(Node::start(Kind::Sealed, &roomy).await?);
    let begun = Instant::now();
    let coming = come_and_go(&node, settings, begun + settings.length);
    let watching = watch(&node, begun, settings.length);
    let (visits, quarters) = tokio::try_join!(coming, watching)?;
    while node.state().await?.pages > 0 {
        if begun.elapsed() > settings.length + PATIENCE {
            return Err("pages count as open, and none is".into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    let end = node.state().await?;
    println!(
        "  {} pages and {} logouts in {} s",
        visits.opened,
        visits.logouts,
        settings.length.as_secs(),
    );
    let moments = ["start", "quarter", "half", "three_quarters"];
    for (moment, state) in moments.into_iter().zip(&quarters).chain([("end", &end)]) {
        println!("soak live_{moment}_resident_kib {}", state.kib());
        println!("soak live_{moment}_files {}", state.files);
        println!("soak live_{moment}_tasks {}", state.tasks);
        println!("soak live_{moment}_pages {}", state.pages);
    }
    let half = quarters.get(2).map_or(0, State::kib);
    Ok(end.kib() as f64 / half as f64)
}

/// The state at the start and after each quarter but the last. Prints it every minute.
async fn watch(node: &Node, begun: Instant, length: Duration) -> Result<Vec<State>, Failure> {
    let mut quarters = Vec::new();
    for quarter in 0..4 {
        let until = begun + length / 4 * quarter;
        while Instant::now() < until {
            sleep_until(until.min(Instant::now() + MINUTE)).await;
            let state = node.state().await?;
            let (minutes, kib) = (begun.elapsed().as_secs() / 60, state.kib());
            let (pages, files, tasks) = (state.pages, state.files, state.tasks);
            println!("  minute {minutes}: {kib} KiB, {pages} pages, {files} files, {tasks} tasks");
        }
        quarters.push(node.state().await?);
    }
    Ok(quarters)
}

/// The cookies of each person.
async fn log_in(node: &Node, people: usize) -> Result<Vec<String>, Failure> {
    let mut cookies = Vec::with_capacity(people);
    for person in 0..people {
        cookies.push(node.cookies(person).await?);
    }
    Ok(cookies)
}

/// NaN where the system does not tell.
fn kib_per_page(before: &State, after: &State, settings: &Settings) -> f64 {
    let (Some(before), Some(after)) = (before.resident, after.resident) else {
        return f64::NAN;
    };
    after.saturating_sub(before) as f64 / settings.pages as f64
}
