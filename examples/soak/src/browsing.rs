//! What browsers do, and whether what comes of it may be.

use std::{sync::Arc, time::Instant};

use axum::http::{StatusCode, header};
use rand::{RngExt as _, rngs::StdRng};

use crate::{
    browser::Browser,
    oracle::Verdict,
    site::{ACCOUNT, BASKET, HOME, NOBODY},
    soak::{Answer, Soak},
};

impl Soak {
    /// One client: it picks a browser, does something with it, and picks the next.
    pub async fn browse(self: Arc<Self>, mut chance: StdRng, ends_at: Instant) {
        while Instant::now() < ends_at {
            let number = chance.random_range(0..self.browsers.len());
            let mut browser = self.browsers[number].lock().await;
            if browser.login.is_none() && chance.random_bool(0.6) {
                self.log_in(&mut browser).await;
                self.open(&mut browser, ACCOUNT).await;
                continue;
            }
            match chance.random_range(0..100) {
                0..70 => self.open(&mut browser, ACCOUNT).await,
                70..92 => self.open(&mut browser, HOME).await,
                92..96 => self.open_in_background(number, &browser),
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
        let start = self.get("/clef/login");
        let Some(answer) = self.send(start, browser.cookies()).await else {
            return;
        };
        browser.take(&answer.headers);
        let person = &self.people[browser.person];
        let (callback, under_way) = {
            // Clef tells the site of a logout that it has not heard of before it lets somebody
            // in anew; none is under way here, so that each is told by the one who counts it.
            let _none_begins = person.hold().await;
            let location = answer.headers.get(header::LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            let id = &self.site.people[browser.person];
            let approved = self.site.clef.approve(id, location.unwrap_or_default());
            match approved.await {
                Ok(callback) => (callback, person.login_begins()),
                Err(error) => return self.tally.error(format!("no login began: {error}")),
            }
        };
        let callback = self.http.get(callback);
        let answer = self.send(callback, browser.cookies()).await;
        let (verdict, login) = person.login_ends(&under_way);
        let Some(answer) = answer else {
            return;
        };
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
        let answer = self.send(self.get(page), browser.cookies()).await;
        let verdict = person.request_ends(&under_way);
        let Some(answer) = answer else {
            return;
        };
        browser.take(&answer.headers);
        if self.judge(browser.person, page, &answer, verdict) == Some(false) {
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
        let (changes, cookies) = (browser.changes, browser.cookies());
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

    async fn sign_out(&self, browser: &mut Browser) {
        let request = self.http.post(format!("{}/clef/sign-out", self.site.url));
        let Some(answer) = self.send(request, browser.cookies()).await else {
            return;
        };
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

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
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
            (Verdict::Refuse, true) => self.tally.stale_accept(page),
            (Verdict::Serve, false) => self.tally.false_refusal(page),
            (Verdict::Refuse, false) => self.tally.count(|counts| counts.refused += 1),
            (Verdict::Serve, true) => self.tally.count(|counts| counts.served += 1),
            (Verdict::Either, _) => self.tally.count(|counts| counts.either += 1),
        }
        Some(served)
    }
}
