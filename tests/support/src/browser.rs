use std::sync::Arc;

use reqwest::{
    Client, RequestBuilder, Response,
    cookie::{CookieStore as _, Jar},
    header::{ACCEPT, LOCATION},
    redirect,
};
use url::Url;

use crate::{Node, World};

/// A browser over loopback: it keeps cookies and follows no redirect.
pub struct Browser {
    /// The HTTP client, for requests to other sites.
    pub client: Client,
    jar: Arc<Jar>,
}

/// Something that is served over loopback.
pub trait Served {
    /// The URL of a path there.
    fn url(&self, path: &str) -> String;
}

impl Served for str {
    fn url(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// A browser without cookies.
    pub fn new() -> Self {
        let jar = Arc::new(Jar::default());
        let client = Client::builder()
            .cookie_provider(Arc::clone(&jar))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { client, jar }
    }

    /// The cookies that this browser would send.
    pub fn cookies(&self, site: &(impl Served + ?Sized)) -> String {
        self.jar
            .cookies(&site.url("/").parse().unwrap())
            .map(|cookies| cookies.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }

    /// Sets a cookie, as a script or an attacker would.
    pub fn set_cookie(&self, site: &(impl Served + ?Sized), cookie: &str) {
        self.jar
            .add_cookie_str(cookie, &site.url("/").parse().unwrap());
    }

    /// `GET`.
    pub fn get(&self, site: &(impl Served + ?Sized), path: &str) -> RequestBuilder {
        self.client.get(site.url(path))
    }

    /// `HEAD`.
    pub fn head(&self, site: &(impl Served + ?Sized), path: &str) -> RequestBuilder {
        self.client.head(site.url(path))
    }

    /// `POST`.
    pub fn post(&self, site: &(impl Served + ?Sized), path: &str) -> RequestBuilder {
        self.client.post(site.url(path))
    }

    /// The status of a request as a script makes it.
    pub async fn status(&self, site: &(impl Served + ?Sized), path: &str) -> u16 {
        self.get(site, path).send().await.unwrap().status().as_u16()
    }

    /// Opens a page as a person does.
    pub async fn open(&self, site: &(impl Served + ?Sized), path: &str) -> Response {
        self.get(site, path)
            .header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .send()
            .await
            .unwrap()
    }

    /// Whether this browser is authenticated here.
    pub async fn is_in(&self, site: &(impl Served + ?Sized)) -> bool {
        match self.status(site, "/account").await {
            200 => true,
            401 => false,
            other => panic!("neither authenticated nor not: {other}"),
        }
    }

    /// Begins a login: the state that went to the provider.
    pub async fn begin(&self, site: &(impl Served + ?Sized), next: &str) -> String {
        let request = self.get(site, "/clef/login").query(&[("next", next)]);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 303);
        state_in(sent_to(&response))
    }

    /// Comes back from the provider.
    pub async fn come_back(
        &self,
        site: &(impl Served + ?Sized),
        code: &str,
        state: &str,
    ) -> Response {
        let request = self.get(site, "/clef/callback");
        let request = request.query(&[("code", code), ("state", state)]);
        request.send().await.unwrap()
    }

    /// A whole login of a person at the [`ScriptedProvider`](crate::ScriptedProvider).
    pub async fn log_in(&self, site: &(impl Served + ?Sized), person: &str) {
        let state = self.begin(site, "/account").await;
        let code = format!("code:{person}");
        let response = self.come_back(site, &code, &state).await;
        assert_eq!(response.status(), 303, "the login of {person}");
        assert_eq!(sent_to(&response), "/account");
    }
}

/// A logged-in browser, whose login must outlive what a test sends.
pub async fn bystander(world: &World) -> (Node, Browser) {
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "67890").await;
    (node, browser)
}

/// Where an answer sends the browser, or an empty string.
pub fn sent_to(response: &Response) -> &str {
    response
        .headers()
        .get(LOCATION)
        .map_or("", |location| location.to_str().unwrap())
}

/// The state in a URL.
pub fn state_in(url: &str) -> String {
    Url::parse(url)
        .unwrap()
        .query_pairs()
        .find(|(name, _)| name == "state")
        .map(|(_, state)| state.into_owned())
        .unwrap()
}
