//! Plays a run against the site, and holds every answer against the oracle.

mod requests;
mod slow_logouts;

use std::{collections::HashMap, mem, sync::atomic::Ordering::SeqCst};

use axum::{
    body::Body,
    http::{Method, Request},
};
use axum_clef::{LoginId, LogoutError};
use test_support::{Answer, App as _, Hold, ISSUER, Jar, MINUTE, answer, notice_request, state_in};
use tokio::{task::JoinHandle, time::Instant};

use self::{
    requests::{Asker, GuardedRequest},
    slow_logouts::SlowLogout,
};
use crate::{
    oracle::{LoginNumber, Oracle, Verdict},
    steps::{BROWSERS, NODES, Run, Scope, Step},
    stores::Stores,
    tally::Tally,
    world::World,
};

/// A violation, in words.
pub type Outcome = Result<(), String>;

/// How many logins a browser may have under way: the crate forgets the oldest of more.
const MOST_ATTEMPTS: usize = 4;
/// How far time may pass in a run, in seconds: less than a session lives unused.
const LONGEST_TIME: i64 = 20 * 60 * 60;
/// How far the clock is ever behind the latest that it showed, in seconds.
const FURTHEST_BACK: i64 = 240;
/// How long ago the credentials of a recent login were proven at most.
const LONGEST_AGE: i64 = 5 * MINUTE;
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

/// A token of a program.
struct Bearer {
    /// What the program sends.
    header: String,
    id: LoginId,
    number: LoginNumber,
}

/// What a notice proves itself with.
struct Token {
    text: String,
    person: usize,
}

struct HeldLogin {
    id: usize,
    browser: usize,
    node: usize,
    hold: Hold,
    answer: JoinHandle<Answer>,
}

struct HeldWork {
    browser: usize,
    epoch: usize,
    hold: Hold,
    answer: JoinHandle<Answer>,
}

struct HeldNotice {
    node: usize,
    token: usize,
    hold: Hold,
    /// The first sender, and those who sent it again meanwhile.
    answers: Vec<JoinHandle<Answer>>,
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

    async fn begin(&mut self, browser: usize, node: usize, person: usize) -> Outcome {
        let held = self.logins.iter().filter(|login| login.browser == browser);
        let under_way = held.count() + self.people[browser].attempts.len();
        if under_way >= MOST_ATTEMPTS {
            return Ok(());
        }
        let somebody = &mut self.people[browser];
        let request = somebody.browser.request(Method::GET, "/clef/login");
        let answer = answer(&self.world.nodes[node], request).await;
        expect(&answer, 303)?;
        somebody.browser.take(&answer.headers);
        let state = state_in(answer.location());
        somebody.attempts.push((state, person));
        Ok(())
    }

    async fn come_back(&mut self, browser: usize, node: usize, held: bool) -> Outcome {
        if self.people[browser].attempts.is_empty() {
            return Ok(());
        }
        self.finish_asks_of(browser, node).await?;
        let (state, person) = self.people[browser].attempts.remove(0);
        let id = self.name();
        let code = format!("code:{person}:{id}");
        let mut hold = self.world.holds.prepare(&code);
        let uri = format!("/clef/callback?code={code}&state={state}");
        let request = self.people[browser].browser.request(Method::GET, &uri);
        let replaces = self.oracle.login(browser);
        let earliest = self.world.nodes[node].reading().await;
        let answer = self.spawn(node, request);
        if (&mut hold.reached).await.is_err() {
            return Err("the login did not get as far as the provider".to_owned());
        }
        let latest = self.world.nodes[node].reading().await - 1;
        self.oracle
            .login_begins(id, (person, false), node, replaces, (earliest, latest));
        self.logins.push(HeldLogin {
            id,
            browser,
            node,
            hold,
            answer,
        });
        if held {
            return Ok(());
        }
        self.finish_login(self.logins.len() - 1).await
    }

    async fn log_in_by_form(
        &mut self,
        browser: usize,
        node: usize,
        person: usize,
        held: bool,
    ) -> Outcome {
        if !self.oracle.knows(person) {
            return Ok(());
        }
        self.finish_asks_of(browser, node).await?;
        let id = self.name();
        let name = format!("form:{id}");
        let mut hold = self.world.holds.prepare(&name);
        let uri = format!("/form?person={person}&hold={name}");
        let request = self.people[browser].browser.request(Method::POST, &uri);
        let replaces = self.oracle.login(browser);
        let earliest = self.world.nodes[node].reading().await;
        let answer = self.spawn(node, request);
        if (&mut hold.reached).await.is_err() {
            return Err("the login did not get as far as the password".to_owned());
        }
        let latest = self.world.nodes[node].reading().await - 1;
        self.oracle
            .login_begins(id, (person, true), node, replaces, (earliest, latest));
        self.logins.push(HeldLogin {
            id,
            browser,
            node,
            hold,
            answer,
        });
        if held {
            return Ok(());
        }
        self.finish_login(self.logins.len() - 1).await
    }

    async fn end_all(&mut self, node: usize, scope: Scope) -> Outcome {
        let logouts = self.world.nodes[node].logouts.clone();
        let earliest = self.world.nodes[node].reading().await;
        let fails = self.fails();
        let ended = tokio::spawn(async move {
            match scope {
                Scope::Everyone => logouts.log_out_everyone().await,
                Scope::Issuer => logouts.log_out_issuer(ISSUER).await,
            }
        });
        self.settle_logout(&ended, fails).await;
        match (ended.await.unwrap(), fails) {
            (Ok(()), false) => {
                let latest = self.world.nodes[node].reading().await - 1;
                self.oracle.end_of_all_is_written(scope, (earliest, latest));
                self.tally.ends_of_all += 1;
            }
            (Err(LogoutError::Pending), true) => {
                self.pending_scopes.push((node, scope));
                self.oracle.end_of_all_is_pending(node, scope);
            }
            (ended, _) => return Err(format!("the end of all logins is {ended:?}")),
        }
        self.ask_everywhere(None).await
    }

    async fn finish_login(&mut self, which: usize) -> Outcome {
        let Some(which) = which.checked_rem(self.logins.len()) else {
            return Ok(());
        };
        let login = self.logins.remove(which);
        let first = self.world.nodes[login.node].reading().await;
        let in_time = login.hold.go.send(()).is_ok();
        let fails = self.fails();
        // The end of the login that it replaces may wait for the store, or for leases.
        self.settle_logout(&login.answer, fails).await;
        let answer = login.answer.await.unwrap();
        self.people[login.browser].browser.take(&answer.headers);
        if !in_time {
            self.oracle.login_vanishes(login.id);
            return expect(&answer, 502);
        }
        let verdict = self.oracle.login_verdict(login.id);
        let reading = self.world.nodes[login.node].reading().await - 1;
        let (surely_back, perhaps_back) = self.oracle.stepped_back(login.id, (first, reading));
        let succeeded = match (answer.status, verdict) {
            (503, _) if perhaps_back => false,
            (303, Verdict::Accept(_) | Verdict::Either(_)) if !surely_back => true,
            (403, Verdict::Refuse(_) | Verdict::Either(_)) => false,
            (status, verdict) => {
                return Err(format!(
                    "the login is answered {status}, should be {verdict:?}"
                ));
            }
        };
        self.tally.login(verdict);
        self.oracle
            .login_ends(login.id, login.browser, (succeeded, !fails), reading);
        if succeeded {
            self.people[login.browser].epoch += 1;
        }
        self.ask(Asker::Browser(login.browser), login.node).await
    }

    /// Waits for an answer that may wait for a logout.
    async fn settle_logout<T>(&self, answer: &JoinHandle<T>, fails: bool) {
        self.world.settle().await;
        if fails && !answer.is_finished() {
            self.world.wait_for_patience().await;
        }
        self.world.until(|| answer.is_finished()).await;
    }

    async fn ask_recent(&mut self, browser: usize, node: usize) -> Outcome {
        self.finish_asks_of(browser, node).await?;
        let first = self.world.nodes[node].reading().await;
        let request = self.people[browser].browser.request(Method::GET, "/recent");
        let answer = answer(&self.world.nodes[node], request).await;
        expect(&answer, 200)?;
        self.people[browser].browser.take(&answer.headers);
        let readings = (first, self.world.nodes[node].reading().await);
        let (login, held) = (self.oracle.login(browser), self.world.holds_clocks());
        let verdict = self
            .oracle
            .recent_verdict(login, node, readings, LONGEST_AGE, held);
        judge(&answer.text, verdict)
            .map_err(|wrong| format!("browser {browser} at node {node}: {wrong}"))?;
        self.tally.recent(verdict);
        Ok(())
    }

    async fn mint(&mut self, browser: usize, node: usize) -> Outcome {
        self.finish_asks_of(browser, node).await?;
        let reading = self.world.nodes[node].reading().await;
        let login = self.oracle.login(browser);
        let verdict = self.oracle.verdict(login, node, reading);
        let request = self.people[browser].browser.request(Method::POST, "/token");
        let answer = answer(&self.world.nodes[node], request).await;
        self.people[browser].browser.take(&answer.headers);
        match (answer.status, verdict) {
            (401, Verdict::Refuse(_) | Verdict::Either(_)) => return Ok(()),
            (200, Verdict::Accept(_) | Verdict::Either(_)) => {}
            (status, verdict) => {
                return Err(format!(
                    "a new token is answered {status}, should be {verdict:?}"
                ));
            }
        }
        let (Some(login), Some((id, secret))) = (login, answer.text.split_once(' ')) else {
            return Err(format!("a token of no login: {}", answer.text));
        };
        let number = self.name();
        self.oracle.token_is_made(number, login);
        self.bearers.push(Bearer {
            header: format!("Bearer {secret}"),
            id: id.parse().map_err(|error| format!("{id}: {error}"))?,
            number,
        });
        self.tally.tokens += 1;
        for node in 0..NODES {
            self.ask(Asker::Token(self.bearers.len() - 1), node).await?;
        }
        Ok(())
    }

    async fn end_token(&mut self, which: usize, node: usize) -> Outcome {
        let Bearer { id, number, .. } = self.bearers[which];
        let logouts = self.world.nodes[node].logouts.clone();
        let fails = self.fails();
        let ended = tokio::spawn(async move { logouts.end_login(id).await });
        self.settle_logout(&ended, fails).await;
        match (ended.await.unwrap(), fails) {
            (Ok(()), false) => self.oracle.token_ends(number, node, true),
            (Err(LogoutError::Pending), true) => self.oracle.token_ends(number, node, false),
            (ended, _) => return Err(format!("the end of a token is {ended:?}")),
        }
        self.tally.tokens_ended += 1;
        for node in 0..NODES {
            self.ask(Asker::Token(which), node).await?;
        }
        Ok(())
    }

    async fn work(&mut self, browser: usize, node: usize) -> Outcome {
        self.finish_asks_of(browser, node).await?;
        let name = format!("work:{}", self.name());
        let mut hold = self.world.holds.prepare(&name);
        let reading = self.world.nodes[node].reading().await;
        let login = self.oracle.login(browser);
        let verdict = self.oracle.verdict(login, node, reading);
        let somebody = &self.people[browser];
        let mut request = somebody.browser.request(Method::POST, "/work");
        request
            .headers_mut()
            .insert("x-hold", name.parse().unwrap());
        let epoch = somebody.epoch;
        let answer = self.spawn(node, request);
        let who = (&mut hold.reached).await.unwrap_or_default();
        judge(&who, verdict)
            .map_err(|wrong| format!("browser {browser} at node {node}: {wrong}"))?;
        self.works.push(HeldWork {
            browser,
            epoch,
            hold,
            answer,
        });
        Ok(())
    }

    async fn finish_work(&mut self, which: usize) -> Outcome {
        let Some(which) = which.checked_rem(self.works.len()) else {
            return Ok(());
        };
        let work = self.works.remove(which);
        let _ = work.hold.go.send(());
        let answer = work.answer.await.unwrap();
        expect(&answer, 200)?;
        let somebody = &mut self.people[work.browser];
        // It may bring a renewal, of the login from before too, and nothing else.
        somebody.browser.take(&answer.headers);
        if work.epoch != somebody.epoch {
            self.tally.old_answers += 1;
        }
        for node in 0..NODES {
            self.ask(Asker::Browser(work.browser), node).await?;
        }
        Ok(())
    }

    async fn sign_out(&mut self, browser: usize, node: usize) -> Outcome {
        self.finish_asks_of(browser, node).await?;
        let login = self.oracle.login(browser);
        let has_ended = login.map_or(Some(true), |login| self.oracle.has_ended(login));
        let request = self.people[browser]
            .browser
            .request(Method::POST, "/auth/sign-out");
        let fails = self.fails();
        let answer = self.spawn(node, request);
        self.settle_logout(&answer, fails).await;
        let answer = answer.await.unwrap();
        let somebody = &mut self.people[browser];
        somebody.browser.take(&answer.headers);
        somebody.epoch += 1;
        // The end of a login that has ended is written already.
        let written = match (answer.status, fails, has_ended) {
            (303, false, _) | (303, true, Some(true) | None) => true,
            (503, true, Some(false) | None) => false,
            (status, ..) => {
                return Err(format!(
                    "the sign-out is answered {status}, the store fails: {fails}, the login has \
                     ended: {has_ended:?}"
                ));
            }
        };
        self.oracle.signs_out(browser, node, written);
        self.tally.sign_outs += usize::from(login.is_some());
        self.ask(Asker::Browser(browser), node).await?;
        let copies = self.copies.iter().enumerate();
        let copies = copies.filter(|(_, (_, copied))| login.is_some() && *copied == login);
        let copies: Vec<_> = copies.map(|(which, _)| which).collect();
        for copy in copies {
            for node in 0..NODES {
                self.ask(Asker::Copy(copy), node).await?;
            }
        }
        Ok(())
    }

    async fn log_out_others(&mut self, browser: usize, node: usize) -> Outcome {
        self.finish_asks_of(browser, node).await?;
        let login = self.oracle.login(browser);
        let earliest = self.world.nodes[node].reading().await;
        let verdict = self.oracle.verdict(login, node, earliest);
        let fails = self.fails();
        let request = self.people[browser]
            .browser
            .request(Method::POST, "/others");
        let answer = self.spawn(node, request);
        self.settle_logout(&answer, fails).await;
        let answer = answer.await.unwrap();
        self.others_are_logged_out((browser, node), &answer, (verdict, fails), earliest)
            .await
    }

    /// The logout of a browser's other logins is answered.
    async fn others_are_logged_out(
        &mut self,
        (browser, node): (usize, usize),
        answer: &Answer,
        (verdict, fails): (Verdict, bool),
        earliest: i64,
    ) -> Outcome {
        self.people[browser].browser.take(&answer.headers);
        let latest = self.world.nodes[node].reading().await - 1;
        let may_be_ahead = self.oracle.may_be_too_far_ahead(browser, earliest);
        match (answer.status, verdict) {
            (401, Verdict::Refuse(_) | Verdict::Either(_)) => return Ok(()),
            (503, Verdict::Accept(_) | Verdict::Either(_)) if fails => return Ok(()),
            (200, Verdict::Accept(_) | Verdict::Either(_)) if !fails => {
                let number = self.name();
                self.oracle
                    .others_have_ended(browser, Some(number), (earliest, latest));
                self.people[browser].epoch += 1;
                self.tally.kept += 1;
            }
            // By what is written, or by the clock: then all have ended.
            (403, Verdict::Either(_)) if !fails => {
                self.oracle.ends_in_doubt(browser, latest);
            }
            (403, Verdict::Accept(_)) if may_be_ahead => {
                self.oracle
                    .others_have_ended(browser, None, (earliest, latest));
            }
            (status, verdict) => {
                return Err(format!(
                    "the logout of the others is answered {status}, should be {verdict:?}"
                ));
            }
        }
        self.ask_everywhere(verdict.person()).await
    }

    async fn notice(&mut self, token: usize, node: usize, held: bool) -> Outcome {
        let Token { text, person } = &self.tokens[token];
        let (text, person) = (text.clone(), *person);
        let request = notice_request(&text);
        if let Some(status) = self.applied.get(&(node, token)) {
            let status = *status;
            expect(&answer(&self.world.nodes[node], request).await, status)?;
            self.tally.replays += 1;
            return self.ask_everywhere(Some(person)).await;
        }
        if self.pending.contains(&(node, token)) {
            return self.notice_in_vain(node, request).await;
        }
        let is_this = |notice: &HeldNotice| (notice.node, notice.token) == (node, token);
        if let Some(which) = self.notices.iter().position(is_this) {
            if !self.notices[which].hold.go.is_closed() {
                let answer = self.spawn(node, request);
                self.notices[which].answers.push(answer);
                self.world.settle().await;
                return Ok(());
            }
            // Given up by the node, so it is new again.
            Box::pin(self.finish_notice(which)).await?;
        }
        // Under a name of its own, because the token may be held at another node.
        let mut hold = self.world.holds.prepare(&text);
        let answers = vec![self.spawn(node, request)];
        if (&mut hold.reached).await.is_err() {
            return Err("the notice did not get as far as the provider".to_owned());
        }
        self.notices.push(HeldNotice {
            node,
            token,
            hold,
            answers,
        });
        if held {
            return Ok(());
        }
        self.finish_notice(self.notices.len() - 1).await
    }

    async fn notice_in_vain(&mut self, node: usize, request: Request<Body>) -> Outcome {
        let answer = self.spawn(node, request);
        self.world.wait_for_patience().await;
        expect(&answer.await.unwrap(), 503)
    }

    async fn finish_notice(&mut self, which: usize) -> Outcome {
        let Some(which) = which.checked_rem(self.notices.len()) else {
            return Ok(());
        };
        let HeldNotice {
            node,
            token,
            hold,
            answers,
        } = self.notices.remove(which);
        let person = self.tokens[token].person;
        let earliest = self.world.nodes[node].reading().await;
        let released_at = Instant::now();
        let in_time = hold.go.send(()).is_ok();
        let fails = self.fails();
        if in_time && fails {
            self.world.wait_for_patience().await;
        }
        let status = match (in_time, fails) {
            (false, _) | (true, true) => 503,
            (true, false) if self.oracle.knows(person) => 200,
            (true, false) => 404,
        };
        let answered = || answers.iter().all(JoinHandle::is_finished);
        self.world.until(answered).await;
        let waited_for_no_lease = released_at.elapsed() < self.world.lease();
        for answer in answers {
            expect(&answer.await.unwrap(), status)?;
        }
        if !in_time {
            return Ok(());
        }
        if fails {
            self.pending.push((node, token));
            self.oracle.logout_is_pending(node, person);
        } else {
            self.logout_is_written(node, token, earliest).await;
            self.tally.logouts += 1;
            self.tally.at_once += usize::from(waited_for_no_lease && status == 200);
        }
        self.ask_everywhere(Some(person)).await
    }

    async fn logout_is_written(&mut self, node: usize, token: usize, earliest: i64) {
        let person = self.tokens[token].person;
        let latest = self.world.nodes[node].reading().await - 1;
        let status = if self.oracle.knows(person) { 200 } else { 404 };
        self.applied.insert((node, token), status);
        self.oracle.logout_is_written(person, (earliest, latest));
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
        401 => Ok("nobody".to_owned()),
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
        Verdict::Refuse(_) => who == "nobody",
        Verdict::Accept(person) => who == person.to_string(),
        Verdict::Either(person) => who == "nobody" || who == person.to_string(),
    };
    if right {
        return Ok(());
    }
    Err(format!("taken for {who}, should be {verdict:?}"))
}
