//! Plays a run against the site, and holds every answer against the oracle.

mod logins;
mod notices;
mod requests;
mod sign_outs;
mod slow_logouts;
mod tokens;
mod works;

use std::{collections::HashMap, mem, sync::atomic::Ordering::SeqCst};

use axum::{body::Body, http::Request};
use test_support::{Answer, App as _, Jar, answer};
use tokio::task::JoinHandle;

use self::{
    logins::HeldLogin,
    notices::{HeldNotice, Token},
    requests::{Asker, GuardedRequest},
    slow_logouts::SlowLogout,
    tokens::Bearer,
    works::HeldWork,
};
use crate::{
    oracle::{LoginNumber, Oracle, Verdict},
    steps::{BROWSERS, Run, Scope, Step},
    stores::Stores,
    tally::Tally,
    world::World,
};

/// A violation, in words.
pub type Outcome = Result<(), String>;

/// How far time may pass in a run, in seconds: less than a session lives unused.
const LONGEST_TIME: i64 = 20 * 60 * 60;
/// How far the clock is ever behind the latest that it showed, in seconds.
const FURTHEST_BACK: i64 = 240;
/// Longer than the longest pause before the next attempt to write a logout.
const LONGEST_PAUSE: u64 = 6;

struct Play {
    world: World,
    oracle: Oracle,
    people: [Person; BROWSERS],
    logins: Vec<HeldLogin>,
    works: Vec<HeldWork>,
    late: Vec<GuardedRequest>,
    slow: Vec<SlowLogout>,
    copies: Vec<(Jar, Option<LoginNumber>)>,
    bearers: Vec<Bearer>,
    notices: Vec<HeldNotice>,
    tokens: Vec<Token>,
    /// What each node has done with each token: the status from now on.
    applied: HashMap<(usize, usize), u16>,
    /// Nodes and tokens whose logouts are pending.
    pending: Vec<(usize, usize)>,
    /// Nodes where the end of all logins is pending.
    pending_scopes: Vec<(usize, Scope)>,
    names: usize,
    /// How far the clock was moved, in seconds.
    time: i64,
    /// How far it is before the latest that it showed; never positive.
    behind: i64,
    tally: Tally,
}

/// A person at a browser.
#[derive(Default)]
struct Person {
    browser: Jar,
    /// Logins begun: the state, and as whom.
    attempts: Vec<(String, usize)>,
    /// How often the browser has logged in or signed out.
    epoch: usize,
}

pub async fn play(stores: Stores, run: &Run) -> Result<Tally, String> {
    let mut play = Play {
        world: World::new(stores, run).await,
        oracle: Oracle::default(),
        people: Default::default(),
        logins: Vec::new(),
        works: Vec::new(),
        late: Vec::new(),
        slow: Vec::new(),
        copies: Vec::new(),
        bearers: Vec::new(),
        notices: Vec::new(),
        tokens: Vec::new(),
        applied: HashMap::new(),
        pending: Vec::new(),
        pending_scopes: Vec::new(),
        names: 0,
        time: 0,
        behind: 0,
        tally: Tally::default(),
    };
    let outcome = play.all(run).await;
    play.world.close().await;
    outcome.map(|()| play.tally)
}

impl Play {
    async fn all(&mut self, run: &Run) -> Outcome {
        for (number, step) in run.steps.iter().enumerate() {
            let outcome = self.step(*step).await;
            outcome.map_err(|violation| format!("step {number}, {step:?}: {violation}"))?;
            self.tally.steps += 1;
        }
        let outcome = self.end().await;
        outcome.map_err(|violation| format!("at the end: {violation}"))
    }

    async fn step(&mut self, step: Step) -> Outcome {
        self.finish_logouts_before(step).await?;
        match step {
            Step::Begin {
                browser,
                node,
                person,
            } => self.begin(browser, node, person).await,
            Step::ComeBack {
                browser,
                node,
                held,
            } => self.come_back(browser, node, held).await,
            Step::LogIn {
                browser,
                node,
                person,
            } => {
                self.begin(browser, node, person).await?;
                self.come_back(browser, node, false).await
            }
            Step::LogInByForm {
                browser,
                node,
                person,
                held,
            } => self.log_in_by_form(browser, node, person, held).await,
            Step::FinishLogin { which } => self.finish_login(which).await,
            Step::Ask { browser, node } => self.ask(Asker::Browser(browser), node).await,
            Step::AskSlowly {
                browser,
                node,
                alone,
            } => self.ask_slowly(browser, node, alone).await,
            Step::FinishAsk { which } => self.finish_ask(which).await,
            Step::Work { browser, node } => self.work(browser, node).await,
            Step::FinishWork { which } => self.finish_work(which).await,
            Step::Copy { browser } => {
                let cookies = self.people[browser].browser.clone();
                self.copies.push((cookies, self.oracle.login(browser)));
                Ok(())
            }
            Step::AskWithCopy { which, node } => match which.checked_rem(self.copies.len()) {
                Some(which) => self.ask(Asker::Copy(which), node).await,
                None => Ok(()),
            },
            Step::SignOut { browser, node } => self.sign_out(browser, node).await,
            Step::LogOutOthers { browser, node } => self.log_out_others(browser, node).await,
            Step::NoticeSlowly { person, node } => self.notice_slowly(person, node).await,
            Step::LogOutOthersSlowly { browser, node } => {
                self.log_out_others_slowly(browser, node).await
            }
            Step::FinishLogout { which } => self.finish_logout(which).await,
            Step::AskRecent { browser, node } => self.ask_recent(browser, node).await,
            Step::Mint { browser, node } => self.mint(browser, node).await,
            Step::AskWithToken { which, node } => match which.checked_rem(self.bearers.len()) {
                Some(which) => self.ask(Asker::Token(which), node).await,
                None => Ok(()),
            },
            Step::EndToken { which, node } => match which.checked_rem(self.bearers.len()) {
                Some(which) => self.end_token(which, node).await,
                None => Ok(()),
            },
            Step::Notice { person, node, held } => {
                let text = format!("token:{person}:{}", self.name());
                self.tokens.push(Token { text, person });
                self.notice(self.tokens.len() - 1, node, held).await
            }
            Step::Replay { which, node } => match which.checked_rem(self.tokens.len()) {
                Some(token) => self.notice(token, node, false).await,
                None => Ok(()),
            },
            Step::FinishNotice { which } => self.finish_notice(which).await,
            Step::EndAll { node, scope } => self.end_all(node, scope).await,
            Step::Clock { seconds } => {
                self.advance_clock(seconds).await;
                Ok(())
            }
            Step::StoreFails => {
                self.world.logouts_fail.store(true, SeqCst);
                Ok(())
            }
            Step::StoreRecovers => self.recover().await,
            Step::Cut { node } => {
                self.world.nodes[node].cut(true);
                Ok(())
            }
            Step::Mend { node } => {
                self.world.nodes[node].cut(false);
                Ok(())
            }
        }
    }

    /// Ends all that is under way, and asks everywhere who is there.
    async fn end(&mut self) -> Outcome {
        while !self.slow.is_empty() {
            self.finish_logout(0).await?;
        }
        self.recover().await?;
        while !self.notices.is_empty() {
            self.finish_notice(0).await?;
        }
        while !self.logins.is_empty() {
            self.finish_login(0).await?;
        }
        while !self.works.is_empty() {
            self.finish_work(0).await?;
        }
        self.finish_all_asks().await?;
        self.ask_everywhere(None).await
    }

    fn name(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    /// Waits for an answer that may wait for a logout.
    async fn settle_logout<T>(&self, answer: &JoinHandle<T>, fails: bool) {
        self.world.settle().await;
        if fails && !answer.is_finished() {
            self.world.wait_for_patience().await;
        }
        self.world.until(|| answer.is_finished()).await;
    }

    async fn recover(&mut self) -> Outcome {
        self.world.logouts_fail.store(false, SeqCst);
        let nodes = &self.world.nodes;
        if nodes.iter().all(|node| node.pending_logouts() == 0) {
            return Ok(());
        }
        let mut readings = Vec::new();
        for node in nodes {
            readings.push(node.reading().await);
        }
        self.world.wait(LONGEST_PAUSE).await;
        let nodes = &self.world.nodes;
        let written = || nodes.iter().all(|node| node.pending_logouts() == 0);
        self.world.until(written).await;
        self.oracle.nothing_is_pending();
        for (node, token) in mem::take(&mut self.pending) {
            self.logout_is_written(node, token, readings[node]).await;
            self.tally.pending += 1;
        }
        for (node, scope) in mem::take(&mut self.pending_scopes) {
            let latest = self.world.nodes[node].reading().await - 1;
            let written = (readings[node], latest);
            self.oracle.end_of_all_is_written(scope, written);
            self.tally.pending += 1;
        }
        self.ask_everywhere(None).await
    }

    async fn advance_clock(&mut self, seconds: i64) {
        let seconds = seconds.max(-FURTHEST_BACK - self.behind);
        if self.time + seconds > LONGEST_TIME {
            return;
        }
        self.time += seconds;
        self.behind = (self.behind + seconds).min(0);
        self.world.advance_clock(seconds).await;
    }

    /// Whether the store accepts no logouts.
    fn fails(&self) -> bool {
        self.world.logouts_fail.load(SeqCst)
    }

    fn spawn(&self, node: usize, request: Request<Body>) -> JoinHandle<Answer> {
        let app = self.world.nodes[node].app();
        tokio::spawn(async move { answer(&app, request).await })
    }
}

fn who(answer: &Answer) -> Result<String, String> {
    match answer.status {
        200 => Ok(answer.text.clone()),
        401 => Ok("unauthenticated".to_owned()),
        status => Err(format!("a request is answered {status}")),
    }
}

fn expect(answer: &Answer, status: u16) -> Outcome {
    if answer.status == status {
        return Ok(());
    }
    Err(format!("{} instead of {status}", answer.status))
}

fn judge(who: &str, verdict: Verdict) -> Outcome {
    let right = match verdict {
        Verdict::Refuse(_) => who == "unauthenticated",
        Verdict::Accept(person) => who == person.to_string(),
        Verdict::Either(person) => who == "unauthenticated" || who == person.to_string(),
    };
    if right {
        return Ok(());
    }
    Err(format!("taken for {who}, should be {verdict:?}"))
}
