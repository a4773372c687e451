//! People who use the site, and are logged out of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderValue, StatusCode, header};
use axum_clef::BoxError;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Client, RequestBuilder, Response, redirect};
use test_support::{Issuer, Jar, sent_to, state_in};
use tokio::{sync::Mutex, task::JoinHandle};

use crate::{
    figures::Figures,
    node::{ACCOUNT, Node},
    oracle::{Login, Logouts},
    wires::Wire,
};

const PEOPLE: usize = 40;
const BROWSERS_OF_A_PERSON: usize = 2;
/// How many do something at a time, and how long each rests in between.
const CLIENTS: usize = 16;
const REST: Duration = Duration::from_millis(8);
/// How many log people out, and how long each rests in between.
const LOGGERS_OUT: usize = 4;
const REST_OF_LOGGERS_OUT: Duration = Duration::from_millis(40);
/// How long after its answer it is still looked at who gets in by a login from before a logout.
const LOOKED_AT: Duration = Duration::from_millis(300);
const REQUEST_LIMIT: Duration = Duration::from_secs(15);

struct Browser {
    /// Whose it is: a place in the list of people.
    person: usize,
    login: Option<Login>,
    jar: Jar,
}

impl Browser {
    fn new(person: usize) -> Self {
        Self {
            person,
            login: None,
            jar: Jar::default(),
        }
    }

    fn cookies(&self) -> Option<HeaderValue> {
        Some(self.jar.header())
    }
}

pub struct Load {
    pub nodes: Vec<Arc<Node>>,
    pub figures: Figures,
    people: Vec<Logouts>,
    browsers: Vec<Mutex<Browser>>,
    http: Client,
    issuer: Arc<Issuer>,
    notices: AtomicU64,
}

impl Load {
    /// # Errors
    ///
    /// When the HTTP client cannot be made.
    pub fn new(nodes: Vec<Arc<Node>>, issuer: Arc<Issuer>) -> Result<Arc<Self>, BoxError> {
        let calls = nodes[0].calls();
        Ok(Arc::new(Self {
            nodes,
            figures: Figures::new(calls),
            people: (0..PEOPLE).map(|_| Logouts::default()).collect(),
            browsers: (0..PEOPLE * BROWSERS_OF_A_PERSON)
                .map(|number| Mutex::new(Browser::new(number % PEOPLE)))
                .collect(),
            http: Client::builder()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .timeout(REQUEST_LIMIT)
                .build()?,
            issuer,
            notices: AtomicU64::new(0),
        }))
    }

    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// # Errors
    ///
    /// When somebody does not get in.
    pub async fn log_everybody_in(&self) -> Result<(), BoxError> {
        for (number, browser) in self.browsers.iter().enumerate() {
            let mut browser = browser.lock().await;
            self.log_in(&self.nodes[number % self.nodes.len()], &mut browser)
                .await;
            if browser.login.is_none() {
                return Err("not everybody could log in at the start".into());
            }
        }
        self.figures.begin();
        Ok(())
    }

    /// Starts everything that goes on until then.
    pub fn start(self: &Arc<Self>, ends_at: Instant) -> Vec<JoinHandle<()>> {
        let mut tasks = Vec::new();
        for _ in 0..CLIENTS {
            tasks.push(tokio::spawn(Arc::clone(self).browse(ends_at)));
        }
        for _ in 0..LOGGERS_OUT {
            tasks.push(tokio::spawn(Arc::clone(self).log_people_out(ends_at)));
        }
        tasks
    }

    /// One that runs.
    fn some_node(&self, chance: &mut StdRng) -> &Arc<Node> {
        loop {
            let node = &self.nodes[chance.random_range(0..self.nodes.len())];
            if node.is_running() {
                return node;
            }
        }
    }

    async fn browse(self: Arc<Self>, ends_at: Instant) {
        let mut chance = StdRng::seed_from_u64(rand::random());
        while Instant::now() < ends_at {
            let node = self.some_node(&mut chance);
            let browser = &self.browsers[chance.random_range(0..self.browsers.len())];
            // Others may use the same one: pages load at the same time.
            let (cookies, login, person) = {
                let mut browser = browser.lock().await;
                if browser.login.is_none() {
                    self.log_in(node, &mut browser).await;
                }
                let Some(login) = browser.login else {
                    continue;
                };
                (browser.cookies(), login, browser.person)
            };
            let began_at = Instant::now();
            let request = self.http.get(url(node, ACCOUNT));
            let answer = self.send(node, request, cookies).await;
            let logouts = &self.people[person];
            match answer.map(|answer| answer.status()) {
                Some(StatusCode::OK) => {
                    self.figures.request(began_at.elapsed());
                    if let Some(late) = logouts.got_in(login, began_at) {
                        self.figures.stale_accept(late);
                    }
                }
                Some(StatusCode::UNAUTHORIZED) => {
                    self.figures.request(began_at.elapsed());
                    if logouts.must_get_in(login) {
                        self.figures
                            .error("somebody is refused who was not logged out");
                    }
                    self.find_out(browser, login, &mut chance).await;
                }
                Some(status) => self.figures.error(&format!("a page is {status}")),
                None => {}
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// A browser that is out tries a little longer, as others may be on their way with the same
    /// cookies, and logs in anew at its next turn.
    async fn find_out(&self, browser: &Mutex<Browser>, login: Login, chance: &mut StdRng) {
        if !chance.random_bool(0.3) {
            return;
        }
        let mut browser = browser.lock().await;
        if browser.login == Some(login) {
            browser.login = None;
        }
    }

    /// A login, from the site to the provider and back.
    async fn log_in(&self, node: &Node, browser: &mut Browser) {
        let person = &self.people[browser.person];
        // One that a logout overlaps may be refused, and is no error.
        let under_way = person.login_begins();
        let start = self.http.get(url(node, "/clef/login"));
        let Some(answer) = self.send(node, start, browser.cookies()).await else {
            return;
        };
        browser.jar.take(answer.headers());
        let path = format!(
            "/clef/callback?code=code:{0}:sid:{0}&state=",
            browser.person
        );
        let callback = url(node, &path) + &state_in(sent_to(&answer));
        let callback = self.http.get(callback);
        let Some(answer) = self.send(node, callback, browser.cookies()).await else {
            return;
        };
        browser.jar.take(answer.headers());
        let login = person.login_ends(under_way);
        match answer.status() {
            StatusCode::SEE_OTHER => browser.login = Some(login),
            StatusCode::FORBIDDEN if !person.must_get_in(login) => {}
            status => self.figures.error(&format!("a login is {status}")),
        }
    }

    async fn log_people_out(self: Arc<Self>, ends_at: Instant) {
        let mut chance = StdRng::seed_from_u64(rand::random());
        while Instant::now() < ends_at {
            let number = chance.random_range(0..self.people.len());
            let node = self.some_node(&mut chance);
            let person = &self.people[number];
            let _one_at_a_time = person.one_at_a_time.lock().await;
            let count = self.notices.fetch_add(1, Relaxed);
            let wire = Wire::ALL[count as usize % Wire::ALL.len()];
            let notice = wire.notice(&self.http, &self.issuer, &url(node, ""), (number, count));
            let began_at = Instant::now();
            let logout = person.begins();
            match self.send(node, notice, None).await {
                Some(answer) if answer.status().is_success() => {
                    person.is_answered(logout);
                    let took = began_at.elapsed();
                    // Whoever gets in from here on is late.
                    tokio::time::sleep(LOOKED_AT).await;
                    self.figures
                        .logout(wire, took, person.last_old_login(logout));
                }
                Some(answer) => {
                    let status = answer.status();
                    self.figures
                        .error(&format!("a logout by {} is {status}", wire.name()));
                }
                None => {}
            }
            tokio::time::sleep(REST_OF_LOGGERS_OUT).await;
        }
    }

    /// Sends a request. One that gets no answer is an error, unless its node was stopped.
    async fn send(
        &self,
        node: &Node,
        mut request: RequestBuilder,
        cookies: Option<HeaderValue>,
    ) -> Option<Response> {
        if let Some(cookies) = cookies {
            request = request.header(header::COOKIE, cookies);
        }
        let starts = node.starts();
        match request.send().await {
            Ok(answer) => Some(answer),
            Err(error) => {
                if node.is_running() && node.starts() == starts {
                    let error = error.without_url();
                    self.figures.error(&format!("no answer: {error:?}"));
                }
                None
            }
        }
    }
}

fn url(node: &Node, path: &str) -> String {
    format!("http://{}{path}", node.address)
}
