//! Requests of a guarded route, by browsers, copies of their cookies and tokens. The store may answer
//! one late, and others may wait for the same answer.

use std::{mem, time::Duration};

use axum::http::Method;
use test_support::{Answer, Hold, Jar};
use tokio::{task::JoinHandle, time::Instant};

use super::{Outcome, Play, judge, who};
use crate::{
    oracle::{LoginNumber, Verdict},
    steps::{BROWSERS, NODES},
};

/// How long a request waits for the store.
const STORE_LIMIT: Duration = Duration::from_secs(10);

/// What sends a request, by its number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker {
    Browser(usize),
    Copy(usize),
    Token(usize),
}

/// A request whose answer is not taken yet.
pub(super) struct GuardedRequest {
    asker: Asker,
    node: usize,
    login: Option<LoginNumber>,
    /// Of when it was sent.
    verdict: Verdict,
    sent_at: Instant,
    /// Holds its read. Without one it reads nothing, or waits for the read of another.
    hold: Option<Hold>,
    /// Whether no logout brings another request with its login to its node meanwhile.
    alone: bool,
    answer: JoinHandle<Answer>,
}

impl Play {
    /// A request that is answered at once, unless it waits for a read that is held.
    pub(super) async fn ask(&mut self, asker: Asker, node: usize) -> Outcome {
        let request = self.send(asker, node).await?;
        let is_same = |late: &GuardedRequest| (late.node, late.login) == (node, request.login);
        if self.late.iter().any(is_same) {
            self.world.settle().await;
            if !request.answer.is_finished() {
                self.late.push(request);
                return Ok(());
            }
        }
        self.take_at_once(request).await
    }

    /// Every browser, copy and token, or those of one person, at every node.
    pub(super) async fn ask_everywhere(&mut self, person: Option<usize>) -> Outcome {
        let tokens = (0..self.bearers.len()).map(Asker::Token);
        let browsers = (0..BROWSERS).map(Asker::Browser);
        let copies = (0..self.copies.len()).map(Asker::Copy);
        let of_person = |asker: &Asker| {
            let login = self.login_of(*asker);
            person.is_none() || login.and_then(|login| self.oracle.person(login)) == person
        };
        let askers = tokens.chain(browsers).chain(copies).filter(of_person);
        let askers: Vec<_> = askers.collect();
        for node in 0..NODES {
            for asker in &askers {
                let same = (node, self.login_of(*asker));
                let mut late = self.late.iter();
                let is_alone = late.any(|late| {
                    late.alone && late.hold.is_some() && (late.node, late.login) == same
                });
                if !is_alone {
                    self.ask(*asker, node).await?;
                }
            }
        }
        Ok(())
    }

    fn login_of(&self, asker: Asker) -> Option<LoginNumber> {
        match asker {
            Asker::Browser(browser) => self.oracle.login(browser),
            Asker::Copy(which) => self.copies[which].1,
            Asker::Token(which) => Some(self.bearers[which].number),
        }
    }

    /// A request whose read is held, if it reads.
    pub(super) async fn ask_slowly(&mut self, browser: usize, node: usize, alone: bool) -> Outcome {
        let mut hold = self.world.hold_read(node);
        let mut request = self.send(Asker::Browser(browser), node).await?;
        self.world.settle().await;
        if request.answer.is_finished() {
            return self.take_at_once(request).await;
        }
        let is_held = hold.reached.try_recv().is_ok();
        request.hold = is_held.then_some(hold);
        request.alone = alone;
        self.late.push(request);
        Ok(())
    }

    /// Ends one of the reads that are held.
    pub(super) async fn finish_ask(&mut self, which: usize) -> Outcome {
        let holds = |late: &&mut GuardedRequest| late.hold.is_some();
        let count = self.late.iter_mut().filter(holds).count();
        let Some(which) = which.checked_rem(count) else {
            return Ok(());
        };
        let held = self.late.iter_mut().filter(holds).nth(which);
        let hold = held.and_then(|late| late.hold.take());
        self.release(hold).await
    }

    /// Ends the held reads of a browser's login at a node, before what would wait for them and is
    /// not judged late.
    pub(super) async fn finish_asks_of(&mut self, browser: usize, node: usize) -> Outcome {
        let same = (node, self.oracle.login(browser));
        loop {
            let mut late = self.late.iter_mut();
            let held = late.find(|late| late.hold.is_some() && (late.node, late.login) == same);
            match held {
                Some(late) => {
                    let hold = late.hold.take();
                    self.release(hold).await?;
                }
                None => return Ok(()),
            }
        }
    }

    pub(super) async fn finish_all_asks(&mut self) -> Outcome {
        while self.late.iter().any(|late| late.hold.is_some()) {
            self.finish_ask(0).await?;
        }
        match self.late.len() {
            0 => Ok(()),
            waiting => Err(format!("{waiting} requests wait for reads that have ended")),
        }
    }

    async fn send(&self, asker: Asker, node: usize) -> Result<GuardedRequest, String> {
        let mut request = match asker {
            Asker::Browser(browser) => self.people[browser]
                .browser
                .request(Method::GET, "/account"),
            Asker::Copy(which) => self.copies[which].0.request(Method::GET, "/account"),
            Asker::Token(_) => Jar::default().request(Method::GET, "/account"),
        };
        if let Asker::Token(which) = asker {
            let header = self.bearers[which].header.parse();
            let header = header.map_err(|_| "a token is no header")?;
            request.headers_mut().insert("authorization", header);
        }
        let login = self.login_of(asker);
        let reading = self.world.nodes[node].reading().await;
        Ok(GuardedRequest {
            asker,
            node,
            login,
            verdict: self.oracle.verdict(login, node, reading),
            sent_at: Instant::now(),
            hold: None,
            alone: false,
            answer: self.spawn(node, request),
        })
    }

    async fn release(&mut self, hold: Option<Hold>) -> Outcome {
        if let Some(hold) = hold {
            // Fails if the request has waited for too long.
            let _ = hold.go.send(());
        }
        self.world.settle().await;
        let late = mem::take(&mut self.late).into_iter();
        let (answered, waiting) = late.partition(|late| late.answer.is_finished());
        self.late = waiting;
        let answered: Vec<GuardedRequest> = answered;
        for request in answered {
            let (asker, node) = (request.asker, request.node);
            self.take_late(request).await?;
            self.ask(asker, node).await?;
        }
        Ok(())
    }

    async fn take_at_once(&mut self, request: GuardedRequest) -> Outcome {
        let verdict = request.verdict;
        let words = format!("{:?} at node {}", request.asker, request.node);
        let asker = request.asker;
        let answer = self.take(request).await;
        judge(&who(&answer)?, verdict).map_err(|wrong| format!("{words}: {wrong}"))?;
        match asker {
            Asker::Browser(_) => self.tally.request(verdict),
            Asker::Copy(_) => self.tally.copy(verdict),
            Asker::Token(_) => self.tally.token(verdict),
        }
        Ok(())
    }

    /// The answer came late, so it may be from before a logout that is answered by now.
    async fn take_late(&mut self, request: GuardedRequest) -> Outcome {
        let (verdict, login, node) = (request.verdict, request.login, request.node);
        let words = format!("{:?} at node {node}, late", request.asker);
        let waited = request.sent_at.elapsed();
        let answer = self.take(request).await;
        if answer.status == 503 && waited >= STORE_LIMIT {
            return Ok(());
        }
        let reading = self.world.nodes[node].reading().await;
        let now = self.oracle.verdict(login, node, reading);
        judge(&who(&answer)?, verdict.late(now)).map_err(|wrong| format!("{words}: {wrong}"))?;
        self.tally.late(verdict, now);
        Ok(())
    }

    async fn take(&mut self, request: GuardedRequest) -> Answer {
        let answer = request.answer.await.unwrap();
        match request.asker {
            Asker::Browser(browser) => self.people[browser].browser.take(&answer.headers),
            Asker::Copy(which) => self.copies[which].0.take(&answer.headers),
            Asker::Token(_) => {}
        }
        answer
    }
}
