//! People who use the site, and are logged out of it, whatever happens to its servers.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderValue, StatusCode, header};
use axum_clef::BoxError;
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Client, Response, redirect};
use test_support::Jar;
use tokio::task::JoinHandle;

use crate::{
    figures::Figures,
    oracle::{Login, Logouts},
};

const PEOPLE: usize = 12;
const BROWSERS_OF_A_PERSON: usize = 2;
/// How many use one node at a time, and how long each rests in between.
const CLIENTS_OF_A_NODE: usize = 2;
const REST: Duration = Duration::from_millis(25);
/// How long the one at each node rests who logs people out.
const REST_OF_LOGGERS_OUT: Duration = Duration::from_millis(120);
/// How many logouts and sign-outs there are at least before a fault.
const SOME: usize = 4;
/// How many logins are tried at once.
const MANY: usize = 48;
/// How many requests of a hundred sign out.
const SIGN_OUTS: u32 = 3;
/// A statement that a node has given up may still run for so long.
const LAST_STATEMENT: Duration = Duration::from_millis(2_500);
/// Longer than a node waits for a store.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Person {
    /// Their id at the site, after their first login.
    user_id: Mutex<Option<String>>,
    logouts: Logouts,
    /// One at a time is sent.
    is_being_logged_out: tokio::sync::Mutex<()>,
}

pub struct Load {
    pub nodes: Vec<String>,
    pub figures: Figures,
    people: Vec<Person>,
    /// What each browser has.
    browsers: Vec<Mutex<Option<Arc<Login>>>>,
    /// Every login there was.
    logins: Mutex<Vec<Arc<Login>>>,
    http: Client,
    stopping: AtomicBool,
    /// Whether the load itself ends no login.
    ends_none: AtomicBool,
    probes: AtomicUsize,
}

/// What a page is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    User,
    NoUser,
    /// 503, or no answer.
    Unavailable,
}

impl Load {
    /// # Errors
    ///
    /// When the HTTP client cannot be made.
    pub fn new(nodes: Vec<String>) -> Result<Arc<Self>, BoxError> {
        let browsers = PEOPLE * BROWSERS_OF_A_PERSON;
        Ok(Arc::new(Self {
            nodes,
            figures: Figures::default(),
            people: (0..PEOPLE).map(|_| Person::default()).collect(),
            browsers: (0..browsers).map(|_| Mutex::default()).collect(),
            logins: Mutex::default(),
            http: Client::builder()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .timeout(REQUEST_LIMIT)
                .build()?,
            stopping: AtomicBool::new(false),
            ends_none: AtomicBool::new(false),
            probes: AtomicUsize::new(0),
        }))
    }

    /// Starts everything that goes on until [`stop`](Self::stop).
    pub fn start(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        self.stopping.store(false, SeqCst);
        let mut tasks = Vec::new();
        for node in 0..self.nodes.len() {
            for _ in 0..CLIENTS_OF_A_NODE {
                tasks.push(tokio::spawn(Arc::clone(self).browse(node)));
            }
            tasks.push(tokio::spawn(Arc::clone(self).log_people_out(node)));
        }
        tasks
    }

    /// Lets every task finish what it does.
    pub fn stop(&self) {
        self.stopping.store(true, SeqCst);
    }

    async fn browse(self: Arc<Self>, node: usize) {
        let mut chance = StdRng::seed_from_u64(rand::random());
        while !self.stopping.load(SeqCst) {
            let number = chance.random_range(0..self.browsers.len());
            let login = self.browser(number).clone();
            match login {
                None => {
                    if let Some(login) = self.log_in(node, number % PEOPLE, Duration::ZERO).await {
                        *self.browser(number) = Some(login);
                    }
                }
                Some(login) if self.ends_logins() && chance.random_ratio(SIGN_OUTS, 100) => {
                    self.sign_out(node, &login).await;
                    self.forget(number, &login);
                }
                Some(login) => {
                    if self.visit(node, &login).await == Page::NoUser {
                        self.forget(number, &login);
                    }
                }
            }
            tokio::time::sleep(REST).await;
        }
    }

    async fn log_people_out(self: Arc<Self>, node: usize) {
        let mut chance = StdRng::seed_from_u64(rand::random());
        while !self.stopping.load(SeqCst) {
            if self.ends_logins() {
                self.log_out(node, chance.random_range(0..PEOPLE)).await;
            }
            tokio::time::sleep(REST_OF_LOGGERS_OUT).await;
        }
    }

    /// Logs a person in, with credentials that take so long to check.
    pub async fn log_in(&self, node: usize, person: usize, pause: Duration) -> Option<Arc<Login>> {
        let began_at = Instant::now();
        let path = format!("/log-in/{person}/{}", pause.as_millis());
        let answer = self.send(node, &path, None).await;
        let status = answer.as_ref().map(Response::status);
        self.figures.login(began_at, status);
        let mut jar = Jar::default();
        jar.take(
            answer
                .filter(|_| status == Some(StatusCode::SEE_OTHER))?
                .headers(),
        );
        let login = Arc::new(Login::new(person, jar.header(), began_at));
        lock(&self.logins).push(Arc::clone(&login));
        Some(login)
    }

    /// Opens a page, and judges the answer.
    pub async fn visit(&self, node: usize, login: &Login) -> Page {
        let request = Instant::now();
        let answer = self.page(node, login).await;
        let page = page_of(answer.as_ref().map(Response::status));
        let person = &self.people[login.person];
        let expected = person.logouts.expected(login, request);
        self.figures.page(request, page, expected);
        if page == Page::User
            && let Some(answer) = answer
            && let Ok(id) = answer.text().await
        {
            lock(&person.user_id).get_or_insert(id);
        }
        page
    }

    /// Logs a person out. Whether that was acknowledged.
    pub async fn log_out(&self, node: usize, person: usize) -> bool {
        let person = &self.people[person];
        let Some(id) = lock(&person.user_id).clone() else {
            return false;
        };
        let _one = person.is_being_logged_out.lock().await;
        let began_at = Instant::now();
        let number = person.logouts.send();
        let answer = self.send(node, &format!("/log-out/{id}"), None).await;
        let acknowledged = answer.is_some_and(|answer| answer.status().is_success());
        person.logouts.answer(number, acknowledged);
        self.figures.logout(began_at, acknowledged);
        acknowledged
    }

    /// Signs a browser out. Whether that was acknowledged.
    pub async fn sign_out(&self, node: usize, login: &Login) -> bool {
        let began_at = Instant::now();
        login.send_sign_out();
        let answer = self
            .send(node, "/auth/sign-out", Some(&login.cookies))
            .await;
        let acknowledged = answer.is_some_and(|answer| answer.status().is_redirection());
        login.answer_sign_out(acknowledged);
        self.figures.sign_out(began_at, acknowledged);
        acknowledged
    }

    /// Logs a user in and out at a node, one that no other load uses.
    ///
    /// # Errors
    ///
    /// The step that does not work.
    pub async fn probe(&self, node: usize) -> Result<(), &'static str> {
        let person = PEOPLE + self.probes.fetch_add(1, SeqCst);
        let path = format!("/log-in/{person}/0");
        let answer = self.send(node, &path, None).await;
        let answer = answer.filter(|answer| answer.status() == StatusCode::SEE_OTHER);
        let mut jar = Jar::default();
        jar.take(answer.ok_or("a login fails")?.headers());
        let login = Login::new(person, jar.header(), Instant::now());
        let answer = self.page(node, &login).await;
        let answer = answer.filter(|answer| answer.status() == StatusCode::OK);
        let id = answer.ok_or("a page fails")?.text().await;
        let id = id.map_err(|_| "a page breaks off")?;
        let answer = self.send(node, &format!("/log-out/{id}"), None).await;
        let answer = answer.filter(|answer| answer.status().is_success());
        answer.ok_or("a logout fails").map(|_| ())
    }

    /// Waits until no node tries any longer to write a logout that was not acknowledged. The load ends no
    /// login meanwhile.
    ///
    /// # Errors
    ///
    /// If one still does at the limit.
    pub async fn settle(&self, limit: Duration) -> Result<(), BoxError> {
        self.end_none(true);
        let began_at = Instant::now();
        for node in 0..self.nodes.len() {
            while self.pending(node).await != Some(0) {
                if began_at.elapsed() > limit {
                    return Err(format!("node {} does not write its logouts", node + 1).into());
                }
                tokio::time::sleep(REST).await;
            }
        }
        tokio::time::sleep(LAST_STATEMENT).await;
        for person in &self.people {
            person.logouts.settle();
        }
        self.end_none(false);
        Ok(())
    }

    /// How many logouts a node has not written yet; `None` if it does not answer.
    async fn pending(&self, node: usize) -> Option<u64> {
        let url = format!("http://{}/pending", self.nodes[node]);
        let answer = self.http.get(url).send().await.ok()?;
        answer.text().await.ok()?.parse().ok()
    }

    /// Whether the load itself ends no login from here on.
    pub fn end_none(&self, none: bool) {
        self.ends_none.store(none, SeqCst);
    }

    fn ends_logins(&self) -> bool {
        !self.ends_none.load(SeqCst)
    }

    /// Tries every login that there was at every node: the ended ones must have ended, the others not.
    pub async fn try_all(&self) {
        let logins = lock(&self.logins).clone();
        for logins in logins.chunks(MANY) {
            for node in 0..self.nodes.len() {
                join_all(logins.iter().map(|login| self.try_one(node, login))).await;
            }
        }
    }

    async fn try_one(&self, node: usize, login: &Login) {
        let request = Instant::now();
        let answer = self.page(node, login).await;
        let page = page_of(answer.as_ref().map(Response::status));
        let expected = self.people[login.person].logouts.expected(login, request);
        self.figures.tried(request, page, expected);
    }

    /// Logs some people out and signs some browsers out, one after the other. How many sign-outs were
    /// acknowledged.
    pub async fn end_some(&self) -> usize {
        let mut signed_out = 0;
        for number in 0..SOME {
            let node = number % self.nodes.len();
            self.log_out(node, number).await;
            let number = self.browsers.len() - 1 - number;
            let login = self.browser(number).clone();
            if let Some(login) = login {
                signed_out += usize::from(self.sign_out(node, &login).await);
                self.forget(number, &login);
            }
        }
        signed_out
    }

    /// Logs everybody out. How many logouts were acknowledged.
    pub async fn log_everybody_out(&self, node: usize) -> usize {
        let logouts = (0..PEOPLE).map(|person| self.log_out(node, person));
        let acknowledged = join_all(logouts).await;
        acknowledged
            .into_iter()
            .filter(|acknowledged| *acknowledged)
            .count()
    }

    /// Opens a page with each of the latest logins, all at once.
    pub fn visit_with_many(self: &Arc<Self>, node: usize) -> Vec<JoinHandle<()>> {
        let logins: Vec<_> = lock(&self.logins)
            .iter()
            .rev()
            .take(MANY)
            .cloned()
            .collect();
        let visit = |login: Arc<Login>| {
            let load = Arc::clone(self);
            tokio::spawn(async move {
                load.visit(node, &login).await;
            })
        };
        logins.into_iter().map(visit).collect()
    }

    async fn page(&self, node: usize, login: &Login) -> Option<Response> {
        let url = format!("http://{}/account", self.nodes[node]);
        let request = self.http.get(url).header(header::COOKIE, &login.cookies);
        request.send().await.ok()
    }

    async fn send(
        &self,
        node: usize,
        path: &str,
        cookies: Option<&HeaderValue>,
    ) -> Option<Response> {
        let mut request = self.http.post(format!("http://{}{path}", self.nodes[node]));
        if let Some(cookies) = cookies {
            request = request.header(header::COOKIE, cookies);
        }
        request.send().await.ok()
    }

    fn browser(&self, number: usize) -> MutexGuard<'_, Option<Arc<Login>>> {
        lock(&self.browsers[number])
    }

    /// A browser that is out logs in anew at its next turn, unless another tab did.
    fn forget(&self, number: usize, login: &Arc<Login>) {
        let mut browser = self.browser(number);
        if browser.as_ref().is_some_and(|now| Arc::ptr_eq(now, login)) {
            *browser = None;
        }
    }
}

fn page_of(status: Option<StatusCode>) -> Page {
    match status {
        Some(StatusCode::OK) => Page::User,
        Some(StatusCode::UNAUTHORIZED) => Page::NoUser,
        _ => Page::Unavailable,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
