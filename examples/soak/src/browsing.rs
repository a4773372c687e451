//! What browsers do, and whether what comes of it may be.

use std::{sync::Arc, time::Instant};

use axum::http::{StatusCode, header};
use rand::{RngExt as _, rngs::StdRng};
use reqwest::RequestBuilder;
use url::Url;

use crate::{
    browser::Browser,
    oracle::{LoginUnderWay, RequestUnderWay, Verdict},
    site::{ACCOUNT, BASKET, HOME, NOBODY},
    soak::{Answer, Soak},
};

impl Soak {
    /// One client: it picks a browser, does something with it, and picks the next.
    pub async fn browse(self: Arc<Self>, mut chance: StdRng, ends_at: Instant) {
        while Instant::now() < ends_at {
            self.pace.wait(self.tally.requests()).await;
            let number = chance.random_range(0..self.browsers.len());
            let mut browser = self.browsers[number].lock().await;
            if browser.login.is_none() && chance.random_bool(0.6) {
                self.log_in(&mut browser).await;
                self.open(&mut browser, ACCOUNT).await;
                continue;
            }
            match chance.random_range(0..100) {
                0..66 => self.open(&mut browser, ACCOUNT).await,
                66..87 => self.open(&mut browser, HOME).await,
                87..91 => self.open_in_background(number, &browser),
                91..96 => self.leave_early(&mut browser, &mut chance).await,
                _ => {
                    // A request with this login is still in progress when it ends.
                    if chance.random_bool(0.5) {
                        self.open_in_background(number, &browser);
                    }
                    self.sign_out(&mut browser).await;
                    self.open(&mut browser, HOME).await;
                }
            }
        }
    }

    /// A login, from the site to Clef and back.
    pub async fn log_in(&self, browser: &mut Browser) {
        let Some((callback, under_way)) = self.begin_to_log_in(browser).await else {
            return;
        };
        let callback = self.http.get(callback);
        if let Some(answer) = self.send(callback, browser.jar.header()).await {
            self.logged_in(browser, under_way, &answer);
        }
    }

    /// From the site to Clef: the way back.
    pub async fn begin_to_log_in(&self, browser: &mut Browser) -> Option<(Url, LoginUnderWay)> {
        let start = self.get("/clef/login");
        let answer = self.send(start, browser.jar.header()).await?;
        browser.take(&answer.headers);
        let person = &self.people[browser.person];
        // Clef tells the site of a logout that it has not heard of before it logs a user in
        // anew; none is under way here, so that each is told by the one who counts it.
        let _none_begins = person.hold().await;
        let location = answer.headers.get(header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let id = &self.site.people[browser.person];
        let approved = self.site.clef.approve(id, location.unwrap_or_default());
        match approved.await {
            Ok(callback) => Some((callback, person.login_begins())),
            Err(error) => {
                self.tally.error(format!("no login began: {error}"));
                None
            }
        }
    }

    /// The callback is answered.
    pub fn logged_in(&self, browser: &mut Browser, under_way: LoginUnderWay, answer: &Answer) {
        let (verdict, login) = self.people[browser.person].login_ends(&under_way);
        browser.take(&answer.headers);
        match answer.status {
            StatusCode::SEE_OTHER => {
                browser.login = Some(login);
                browser.changes += 1;
                self.tally.count(|counts| counts.logins += 1);
            }
            StatusCode::FORBIDDEN if verdict == Verdict::Either => {
                self.tally.count(|counts| counts.either += 1);
            }
            StatusCode::FORBIDDEN => self.tally.false_refusal("a login after the last logout"),
            status => self
                .tally
                .error(format!("a login was answered with {status}")),
        }
    }

    /// Opens a page.
    pub async fn open(&self, browser: &mut Browser, page: &str) {
        let person = &self.people[browser.person];
        let under_way = person.request_begins(browser.login);
        if let Some(answer) = self.send(self.get(page), browser.jar.header()).await {
            self.opened(browser, page, &under_way, &answer);
        }
    }

    /// A page is answered.
    pub fn opened(
        &self,
        browser: &mut Browser,
        page: &str,
        under_way: &RequestUnderWay,
        answer: &Answer,
    ) {
        let verdict = self.people[browser.person].request_ends(under_way);
        browser.take(&answer.headers);
        if self.judge(browser.person, page, answer, verdict) == Some(false) {
            browser.login = None;
        }
    }

    /// Opens the page that is slow to save the session, and goes on meanwhile.
    fn open_in_background(self: &Arc<Self>, number: usize, browser: &Browser) {
        // Not waited for: those who have the places may wait for this browser.
        let Ok(place) = Arc::clone(&self.background).try_acquire_owned() else {
            return;
        };
        let soak = Arc::clone(self);
        let (person, login) = (browser.person, browser.login);
        let (changes, cookies) = (browser.changes, browser.jar.header());
        tokio::spawn(async move {
            let logouts = &soak.people[person];
            let under_way = logouts.request_begins(login);
            let answer = soak.send(soak.get(BASKET), cookies).await;
            let mut verdict = logouts.request_ends(&under_way);
            if let Some(answer) = answer {
                let mut browser = soak.browsers[number].lock().await;
                if browser.changes != changes && verdict == Verdict::Serve {
                    verdict = Verdict::Either;
                }
                let served = soak.judge(person, BASKET, &answer, verdict);
                if served == Some(true) {
                    soak.tally.count(|counts| counts.saved_back += 1);
                }
                // However late it arrives, it neither ends a newer login nor brings an old one back.
                browser.take(&answer.headers);
            }
            drop(place);
        });
    }

    pub async fn sign_out(&self, browser: &mut Browser) {
        if let Some(answer) = self.send(self.to_sign_out(), browser.jar.header()).await {
            self.signed_out(browser, &answer);
        }
    }

    pub fn to_sign_out(&self) -> RequestBuilder {
        self.http.post(format!("{}/auth/sign-out", self.site.url))
    }

    /// A sign-out is answered.
    pub fn signed_out(&self, browser: &mut Browser, answer: &Answer) {
        browser.take(&answer.headers);
        match answer.status {
            StatusCode::SEE_OTHER => self.tally.count(|counts| counts.sign_outs += 1),
            // The site refuses the login from now on, and goes on writing that.
            StatusCode::SERVICE_UNAVAILABLE => self.tally.count(|counts| counts.put_off += 1),
            status => {
                let error = format!("a sign-out was answered with {status}");
                return self.tally.error(error);
            }
        }
        browser.login = None;
        browser.changes += 1;
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.site.url))
    }

    /// Whether the person was served; `None` if the answer is none that may be.
    fn judge(&self, person: usize, page: &str, answer: &Answer, verdict: Verdict) -> Option<bool> {
        let served = match answer.status {
            StatusCode::OK if page == HOME && answer.body == NOBODY => false,
            StatusCode::OK if answer.body == self.site.people[person] => true,
            StatusCode::UNAUTHORIZED if page != HOME => false,
            StatusCode::OK => {
                self.tally
                    .error(format!("{page} was served to somebody else"));
                return None;
            }
            status => {
                self.tally
                    .error(format!("{page} was answered with {status}"));
                return None;
            }
        };
        match (verdict, served) {
            (Verdict::Refuse | Verdict::RefuseExpired, true) => self.tally.stale_accept(page),
            (Verdict::Serve, false) => self.tally.false_refusal(page),
            (Verdict::RefuseExpired, false) => self.tally.count(|counts| {
                counts.refused += 1;
                counts.expired += 1;
            }),
            (Verdict::Refuse, false) => self.tally.count(|counts| counts.refused += 1),
            (Verdict::Serve, true) => self.tally.count(|counts| counts.served += 1),
            (Verdict::Either, _) => self.tally.count(|counts| counts.either += 1),
        }
        Some(served)
    }
}
