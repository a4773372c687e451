//! Logouts that the user store has not written yet, because it takes its time.

use std::time::Duration;

use axum::http::Method;
use test_support::{Answer, Hold, notice_request};
use tokio::{task::JoinHandle, time::Instant};

use super::{Outcome, Play, expect, notices::Token};
use crate::{oracle::Verdict, steps::Step};

/// How long a request waits for its logout, without leases.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a logout is held at the most. An attempt to write one is given up after five seconds, and
/// no step lets more than three pass.
const LONGEST: Duration = Duration::from_secs(1);

/// A logout that is held before it is written.
pub(super) struct SlowLogout {
    kind: Kind,
    node: usize,
    person: usize,
    begun_at: Instant,
    hold: Hold,
    answer: JoinHandle<Answer>,
}

enum Kind {
    /// By a notice with this token.
    Notice(usize),
    /// Of all logins but that of this browser.
    Others(usize),
}

impl Play {
    /// A notice about a known person.
    pub(super) async fn notice_slowly(&mut self, person: usize, node: usize) -> Outcome {
        if self.fails() || !self.oracle.knows(person) {
            return Ok(());
        }
        let text = format!("token:{person}:{}", self.name());
        let request = notice_request(&text);
        let token = self.tokens.len();
        self.tokens.push(Token { text, person });
        let hold = self.world.hold_write(node);
        let answer = self.spawn(node, request);
        self.add_slow(Kind::Notice(token), (node, person), hold, answer)
            .await?;
        self.oracle.logout_is_pending(node, person);
        self.ask_everywhere(Some(person)).await
    }

    /// Nothing has ended while it is held.
    pub(super) async fn log_out_others_slowly(&mut self, browser: usize, node: usize) -> Outcome {
        let login = self.oracle.login(browser);
        let reading = self.world.nodes[node].reading().await;
        let verdict = self.oracle.verdict(login, node, reading);
        let (false, Verdict::Accept(person)) = (self.fails(), verdict) else {
            return Ok(());
        };
        self.finish_asks_of(browser, node).await?;
        let browsers = &self.people[browser].browser;
        let request = browsers.request(Method::POST, "/others");
        let hold = self.world.hold_write(node);
        let answer = self.spawn(node, request);
        self.add_slow(Kind::Others(browser), (node, person), hold, answer)
            .await?;
        self.ask_everywhere(Some(person)).await
    }

    async fn add_slow(
        &mut self,
        kind: Kind,
        (node, person): (usize, usize),
        mut hold: Hold,
        answer: JoinHandle<Answer>,
    ) -> Outcome {
        self.world.settle().await;
        if hold.reached.try_recv().is_err() {
            return Err("the logout did not get as far as the store".to_owned());
        }
        self.slow.push(SlowLogout {
            kind,
            node,
            person,
            begun_at: Instant::now(),
            hold,
            answer,
        });
        Ok(())
    }

    pub(super) async fn finish_logout(&mut self, which: usize) -> Outcome {
        let Some(which) = which.checked_rem(self.slow.len()) else {
            return Ok(());
        };
        let SlowLogout {
            kind,
            node,
            person,
            begun_at,
            hold,
            answer,
        } = self.slow.remove(which);
        let earliest = self.world.nodes[node].reading().await;
        if hold.go.send(()).is_err() {
            return Err("a logout is given up".to_owned());
        }
        self.world.until(|| answer.is_finished()).await;
        let is_overdue = begun_at.elapsed() >= PATIENCE;
        let answer = answer.await.unwrap();
        self.tally.slow += 1;
        match kind {
            Kind::Notice(token) => {
                match answer.status {
                    503 if is_overdue => {
                        let node = &self.world.nodes[node];
                        self.world.until(|| node.pending_logouts() == 0).await;
                    }
                    _ => expect(&answer, 200)?,
                }
                self.logout_is_written(node, token, earliest).await;
                self.oracle.logout_is_settled(node, person);
                self.ask_everywhere(Some(person)).await
            }
            Kind::Others(browser) => {
                let login = self.oracle.login(browser);
                let verdict = self.oracle.verdict(login, node, earliest);
                if let (403, Verdict::Refuse(_)) = (answer.status, verdict) {
                    // It has ended meanwhile, and the others may have.
                    self.people[browser].browser.take(&answer.headers);
                    let latest = self.world.nodes[node].reading().await - 1;
                    self.oracle.ends_in_doubt(browser, latest);
                    return self.ask_everywhere(Some(person)).await;
                }
                let verdict = (verdict, false);
                self.others_are_logged_out((browser, node), &answer, verdict, earliest)
                    .await
            }
        }
    }

    /// Ends the logouts that would make a difference to a step that the oracle does not know.
    pub(super) async fn finish_logouts_before(&mut self, step: Step) -> Outcome {
        while let Some(which) = self
            .slow
            .iter()
            .position(|slow| self.is_in_the_way(slow, step))
        {
            self.finish_logout(which).await?;
        }
        Ok(())
    }

    fn is_in_the_way(&self, slow: &SlowLogout, step: Step) -> bool {
        let at = (slow.node, slow.person);
        let is_of_step = match (&slow.kind, step) {
            (_, Step::StoreFails | Step::StoreRecovers) => true,
            // A later logout at the same node settles an earlier one.
            (
                Kind::Notice(_),
                Step::Notice { node, person, .. } | Step::NoticeSlowly { node, person },
            ) => at == (node, person),
            (Kind::Notice(_), Step::Replay { .. } | Step::FinishNotice { .. }) => true,
            // Its login must be the same afterwards.
            (Kind::Others(_), Step::FinishLogin { .. }) => true,
            (
                Kind::Others(own),
                Step::ComeBack { browser, .. }
                | Step::LogIn { browser, .. }
                | Step::LogInByForm { browser, .. }
                | Step::SignOut { browser, .. }
                | Step::LogOutOthers { browser, .. }
                | Step::LogOutOthersSlowly { browser, .. },
            ) => *own == browser,
            _ => false,
        };
        is_of_step || slow.begun_at.elapsed() >= LONGEST
    }
}
