//! Tokens that browsers make for programs.

use axum::http::Method;
use axum_clef::{LoginId, LogoutError};
use test_support::answer;

use super::{Outcome, Play, requests::Asker};
use crate::{
    oracle::{LoginNumber, Verdict},
    steps::NODES,
};

/// A token of a program.
pub(super) struct Bearer {
    /// What the program sends.
    pub(super) header: String,
    pub(super) id: LoginId,
    pub(super) number: LoginNumber,
}

impl Play {
    pub(super) async fn mint(&mut self, browser: usize, node: usize) -> Outcome {
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

    pub(super) async fn end_token(&mut self, which: usize, node: usize) -> Outcome {
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
}
