//! Browsers that hang up in the middle of a request. What it began is done or not; either way the
//! site is whole, and a browser that comes back is served as before.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use rand::{RngExt as _, rngs::StdRng};
use reqwest::RequestBuilder;

use crate::{
    browser::Browser,
    site::{ACCOUNT, BASKET, HOME},
    soak::{Answer, Soak},
};

/// The longest that those wait who hang up: most requests take less.
const LONGEST_WAIT: Duration = Duration::from_millis(40);

/// What came of a request whose sender hangs up soon.
enum Sent {
    Answered(Answer),
    HungUp,
    /// That is counted already.
    Failed,
}

impl Soak {
    /// Begins something, and hangs up soon.
    pub async fn leave_early(&self, browser: &mut Browser, chance: &mut StdRng) {
        match chance.random_range(0..6) {
            0 => self.leave_page(browser, ACCOUNT, chance).await,
            1 => self.leave_page(browser, BASKET, chance).await,
            2 | 3 => self.leave_sign_out(browser, chance).await,
            _ => self.leave_log_in(browser, chance).await,
        }
    }

    async fn leave_page(&self, browser: &mut Browser, page: &str, chance: &mut StdRng) {
        let under_way = self.people[browser.person].request_begins(browser.login);
        let (request, wait) = (self.get(page), short_wait(chance));
        if let Sent::Answered(answer) = self
            .send_and_wait(request, browser.jar.header(), wait)
            .await
        {
            self.opened(browser, page, &under_way, &answer);
        }
        self.open(browser, page).await;
    }

    async fn leave_sign_out(&self, browser: &mut Browser, chance: &mut StdRng) {
        let (request, wait) = (self.to_sign_out(), short_wait(chance));
        match self
            .send_and_wait(request, browser.jar.header(), wait)
            .await
        {
            Sent::Answered(answer) => self.signed_out(browser, &answer),
            Sent::HungUp => {
                browser.doubt();
                // Perhaps while the first is still at it.
                if chance.random_bool(0.5) {
                    self.sign_out(browser).await;
                }
            }
            Sent::Failed => {}
        }
        self.open(browser, HOME).await;
    }

    /// Also where the browser is logged in: the new login takes the place of that one.
    async fn leave_log_in(&self, browser: &mut Browser, chance: &mut StdRng) {
        let Some((callback, under_way)) = self.begin_to_log_in(browser).await else {
            return;
        };
        let (request, wait) = (self.http.get(callback.clone()), short_wait(chance));
        match self
            .send_and_wait(request, browser.jar.header(), wait)
            .await
        {
            Sent::Answered(answer) => self.logged_in(browser, under_way, &answer),
            Sent::HungUp => {
                browser.doubt();
                // The page is loaded again: it works unless the first one has come to its end.
                if chance.random_bool(0.5) {
                    let request = self.http.get(callback);
                    match self.send(request, browser.jar.header()).await {
                        Some(answer) if answer.status == StatusCode::FORBIDDEN => {
                            browser.take(&answer.headers);
                            self.tally.count(|counts| counts.either += 1);
                        }
                        Some(answer) => self.logged_in(browser, under_way, &answer),
                        None => {}
                    }
                }
            }
            Sent::Failed => {}
        }
        self.open(browser, ACCOUNT).await;
        // Who began to log in does so in the end, whatever is still under way.
        if browser.login.is_none() {
            self.log_in(browser).await;
            self.open(browser, ACCOUNT).await;
        }
    }

    /// Sends a request with these cookies, and hangs up unless the answer comes in time: the
    /// connection is closed.
    async fn send_and_wait(
        &self,
        request: RequestBuilder,
        cookies: HeaderValue,
        wait: Duration,
    ) -> Sent {
        match tokio::time::timeout(wait, self.send(request, cookies)).await {
            Ok(Some(answer)) => Sent::Answered(answer),
            Ok(None) => Sent::Failed,
            Err(_) => {
                self.tally.count(|counts| counts.hang_ups += 1);
                Sent::HungUp
            }
        }
    }
}

/// How long a browser waits before it hangs up. Most waits are short, since an idle machine answers
/// within a millisecond.
fn short_wait(chance: &mut StdRng) -> Duration {
    let part: f64 = chance.random();
    LONGEST_WAIT.mul_f64(part.powi(4))
}
