use std::sync::Arc;

use reqwest::{
    Client, RequestBuilder, Response,
    cookie::{CookieStore as _, Jar},
    header::{ACCEPT, LOCATION},
    redirect,
};
use url::Url;

use super::{Node, World};

/// A browser: a cookie jar, and eyes for where it is sent.
pub struct Browser {
    client: Client,
    jar: Arc<Jar>,
}

impl Browser {
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
    pub fn cookies(&self, node: &Node) -> String {
        self.jar
            .cookies(&node.url("/").parse().unwrap())
            .map(|cookies| cookies.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }

    /// Sets a cookie, as a script or an attacker would.
    pub fn set_cookie(&self, node: &Node, cookie: &str) {
        self.jar
            .add_cookie_str(cookie, &node.url("/").parse().unwrap());
    }

    pub fn get(&self, node: &Node, path: &str) -> RequestBuilder {
        self.client.get(node.url(path))
    }

    pub fn head(&self, node: &Node, path: &str) -> RequestBuilder {
        self.client.head(node.url(path))
    }

    pub fn post(&self, node: &Node, path: &str) -> RequestBuilder {
        self.client.post(node.url(path))
    }

    /// The status of a request as a script makes it.
    pub async fn status(&self, node: &Node, path: &str) -> u16 {
        self.get(node, path).send().await.unwrap().status().as_u16()
    }

    /// Opens a page as a person does.
    pub async fn open(&self, node: &Node, path: &str) -> Response {
        self.get(node, path)
            .header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .send()
            .await
            .unwrap()
    }

    /// Whether this browser is authenticated here.
    pub async fn is_in(&self, node: &Node) -> bool {
        match self.status(node, "/account").await {
            200 => true,
            401 => false,
            other => panic!("neither in nor out: {other}"),
        }
    }

    /// Begins a login: the state that went to the provider.
    pub async fn begin(&self, node: &Node, next: &str) -> String {
        let response = self
            .get(node, "/clef/login")
            .query(&[("next", next)])
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 303);
        state_in(location(&response))
    }

    /// Comes back from the provider.
    pub async fn come_back(&self, node: &Node, code: &str, state: &str) -> Response {
        self.get(node, "/clef/callback")
            .query(&[("code", code), ("state", state)])
            .send()
            .await
            .unwrap()
    }

    /// A whole login of a person.
    pub async fn log_in(&self, node: &Node, person: &str) {
        let state = self.begin(node, "/account").await;
        let response = self
            .come_back(node, &format!("code:{person}"), &state)
            .await;
        assert_eq!(response.status(), 303, "the login of {person}");
        assert_eq!(location(&response), "/account");
    }
}

/// A logged-in browser, whose login must outlive what a test sends.
pub async fn bystander(world: &World) -> (Node, Browser) {
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "67890").await;
    (node, browser)
}

pub fn location(response: &Response) -> &str {
    response
        .headers()
        .get(LOCATION)
        .map_or("", |location| location.to_str().unwrap())
}

/// The state in an address.
pub fn state_in(url: &str) -> String {
    Url::parse(url)
        .unwrap()
        .query_pairs()
        .find(|(name, _)| name == "state")
        .map(|(_, state)| state.into_owned())
        .unwrap()
}
