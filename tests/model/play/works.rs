//! Requests of other routes: those that hang once they are checked, and those for recent logins.

use axum::http::Method;
use test_support::{Answer, Hold, MINUTE, answer};
use tokio::task::JoinHandle;

use super::{Outcome, Play, expect, judge, requests::Asker};
use crate::steps::NODES;

/// How long ago the credentials of a recent login were proven at most.
const LONGEST_AGE: i64 = 5 * MINUTE;

pub(super) struct HeldWork {
    pub(super) browser: usize,
    pub(super) epoch: usize,
    pub(super) hold: Hold,
    pub(super) answer: JoinHandle<Answer>,
}

impl Play {
    pub(super) async fn ask_recent(&mut self, browser: usize, node: usize) -> Outcome {
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

    pub(super) async fn work(&mut self, browser: usize, node: usize) -> Outcome {
        self.finish_asks_of(browser, node).await?;
        let name = format!("work:{}", self.name());
        let mut hold = self.world.holds.prepare(&name);
        let reading = self.world.nodes[node].reading().await;
        let login = self.oracle.login(browser);
        let verdict = self.oracle.verdict(login, node, reading);
        let visitor = &self.people[browser];
        let mut request = visitor.browser.request(Method::POST, "/work");
        request
            .headers_mut()
            .insert("x-hold", name.parse().unwrap());
        let epoch = visitor.epoch;
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

    pub(super) async fn finish_work(&mut self, which: usize) -> Outcome {
        let Some(which) = which.checked_rem(self.works.len()) else {
            return Ok(());
        };
        let work = self.works.remove(which);
        let _ = work.hold.go.send(());
        let answer = work.answer.await.unwrap();
        expect(&answer, 200)?;
        let visitor = &mut self.people[work.browser];
        // It may bring a renewal, of the login from before too, and nothing else.
        visitor.browser.take(&answer.headers);
        if work.epoch != visitor.epoch {
            self.tally.old_answers += 1;
        }
        for node in 0..NODES {
            self.ask(Asker::Browser(work.browser), node).await?;
        }
        Ok(())
    }
}
