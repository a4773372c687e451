//! Logins, by the provider and by the site's own form.

use axum::{
    body::Body,
    http::{Method, Request},
};
use test_support::{Answer, Hold, answer, state_in};
use tokio::task::JoinHandle;

use super::{Outcome, Play, expect, requests::Asker};
use crate::oracle::Verdict;

/// How many logins a browser may have under way: the crate forgets the oldest of more.
const MOST_ATTEMPTS: usize = 4;

pub(super) struct HeldLogin {
    pub(super) id: usize,
    pub(super) browser: usize,
    pub(super) node: usize,
    pub(super) hold: Hold,
    pub(super) answer: JoinHandle<Answer>,
}

impl Play {
    pub(super) async fn begin(&mut self, browser: usize, node: usize, person: usize) -> Outcome {
        let held = self.logins.iter().filter(|login| login.browser == browser);
        let under_way = held.count() + self.people[browser].attempts.len();
        if under_way >= MOST_ATTEMPTS {
            return Ok(());
        }
        let visitor = &mut self.people[browser];
        let request = visitor.browser.request(Method::GET, "/clef/login");
        let answer = answer(&self.world.nodes[node], request).await;
        expect(&answer, 303)?;
        visitor.browser.take(&answer.headers);
        let state = state_in(answer.location());
        visitor.attempts.push((state, person));
        Ok(())
    }

    pub(super) async fn come_back(&mut self, browser: usize, node: usize, held: bool) -> Outcome {
        if self.people[browser].attempts.is_empty() {
            return Ok(());
        }
        self.finish_asks_of(browser, node).await?;
        let (state, person) = self.people[browser].attempts.remove(0);
        let id = self.name();
        let code = format!("code:{person}:{id}");
        let uri = format!("/clef/callback?code={code}&state={state}");
        let request = self.people[browser].browser.request(Method::GET, &uri);
        let hold = self.world.holds.prepare(&code);
        self.hold_login((id, browser, node), (person, false), request, hold)
            .await?;
        match held {
            true => Ok(()),
            false => self.finish_login(self.logins.len() - 1).await,
        }
    }

    pub(super) async fn log_in_by_form(
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
        let uri = format!("/form?person={person}&hold={name}");
        let request = self.people[browser].browser.request(Method::POST, &uri);
        let hold = self.world.holds.prepare(&name);
        self.hold_login((id, browser, node), (person, true), request, hold)
            .await?;
        match held {
            true => Ok(()),
            false => self.finish_login(self.logins.len() - 1).await,
        }
    }

    /// Sends the request of a login, and holds it where its credentials are checked.
    async fn hold_login(
        &mut self,
        (id, browser, node): (usize, usize, usize),
        who: (usize, bool),
        request: Request<Body>,
        mut hold: Hold,
    ) -> Outcome {
        let replaces = self.oracle.login(browser);
        let earliest = self.world.nodes[node].reading().await;
        let answer = self.spawn(node, request);
        if (&mut hold.reached).await.is_err() {
            return Err("the login did not get as far as its credentials".to_owned());
        }
        let latest = self.world.nodes[node].reading().await - 1;
        self.oracle
            .login_begins(id, who, node, replaces, (earliest, latest));
        self.logins.push(HeldLogin {
            id,
            browser,
            node,
            hold,
            answer,
        });
        Ok(())
    }

    pub(super) async fn finish_login(&mut self, which: usize) -> Outcome {
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
}
