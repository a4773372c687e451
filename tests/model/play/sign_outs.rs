//! Sign-outs, and the ends of many logins by the site itself.

use axum::http::Method;
use axum_clef::LogoutError;
use test_support::{Answer, ISSUER};

use super::{Outcome, Play, requests::Asker};
use crate::{
    oracle::Verdict,
    steps::{NODES, Scope},
};

impl Play {
    pub(super) async fn end_all(&mut self, node: usize, scope: Scope) -> Outcome {
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

    pub(super) async fn sign_out(&mut self, browser: usize, node: usize) -> Outcome {
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
        let visitor = &mut self.people[browser];
        visitor.browser.take(&answer.headers);
        visitor.epoch += 1;
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

    pub(super) async fn log_out_others(&mut self, browser: usize, node: usize) -> Outcome {
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
    pub(super) async fn others_are_logged_out(
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
}
