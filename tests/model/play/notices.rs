//! Logout notices of the provider.

use axum::{body::Body, http::Request};
use test_support::{Answer, Hold, answer, notice_request};
use tokio::{task::JoinHandle, time::Instant};

use super::{Outcome, Play, expect};

/// What a notice proves itself with.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) person: usize,
}

pub(super) struct HeldNotice {
    pub(super) node: usize,
    pub(super) token: usize,
    pub(super) hold: Hold,
    /// The first sender, and those who sent it again meanwhile.
    pub(super) answers: Vec<JoinHandle<Answer>>,
}

impl Play {
    pub(super) async fn notice(&mut self, token: usize, node: usize, held: bool) -> Outcome {
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

    pub(super) async fn finish_notice(&mut self, which: usize) -> Outcome {
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

    pub(super) async fn logout_is_written(&mut self, node: usize, token: usize, earliest: i64) {
        let person = self.tokens[token].person;
        let latest = self.world.nodes[node].reading().await - 1;
        let status = if self.oracle.knows(person) { 200 } else { 404 };
        self.applied.insert((node, token), status);
        self.oracle.logout_is_written(person, (earliest, latest));
    }
}
