use reqwest::{Client, Response, header::LOCATION};
use serde_json::Value;
use url::Url;

use crate::{
    browser::{BrowserAtProvider, Shown},
    provider::RealProvider,
    site::Site,
};

/// What a person's browser does at the pages of a provider.
pub trait AtProvider {
    /// The member of the site's `/account` that names a person of this provider.
    const NAMED_BY: &str;

    /// Logs in as a person: the address to come back to.
    async fn log_in(&self, authorization: &str, person: &str) -> Url;
}

impl AtProvider for BrowserAtProvider {
    const NAMED_BY: &str = "sub";

    async fn log_in(&self, authorization: &str, person: &str) -> Url {
        Self::log_in(self, authorization, person).await
    }
}

/// A person's browser: its cookies at the sites, and what it is to the provider.
pub struct Visitor<B = BrowserAtProvider> {
    client: Client,
    pub at_provider: B,
}

impl Visitor {
    pub fn new(provider: &RealProvider) -> Self {
        Self::with(BrowserAtProvider::new(provider.issuer()))
    }

    /// A login of a person whom the provider knows already: it asks nothing.
    pub async fn log_in_again(&self, site: &Site, person: &str) {
        let authorization = self.begin(site).await;
        let callback = self.at_provider.open(&authorization).await.elsewhere();
        self.come_in(site, callback, person).await;
    }

    /// Whether the provider would have to ask who this is.
    pub async fn is_asked_at_provider(&self, site: &Site) -> bool {
        let authorization = self.begin(site).await;
        match self.at_provider.open(&authorization).await {
            Shown::Page(page) => {
                assert!(page.html.contains("Who are you?"));
                true
            }
            Shown::Elsewhere(_) => false,
        }
    }
}

impl<B: AtProvider> Visitor<B> {
    pub fn with(at_provider: B) -> Self {
        Self {
            client: test_support::Browser::new().client,
            at_provider,
        }
    }

    pub async fn get(&self, url: impl AsRef<str>) -> Response {
        self.client.get(url.as_ref()).send().await.unwrap()
    }

    /// As a person opens a page.
    pub async fn open(&self, url: impl AsRef<str>) -> Response {
        let request = self.client.get(url.as_ref()).header("accept", "text/html");
        request.send().await.unwrap()
    }

    /// Begins a login at the node that browsers do not come back to: where it is sent.
    pub async fn begin(&self, site: &Site) -> String {
        let [_, second] = site.at_each_node("/clef/login?next=/account");
        sent_to(&self.get(second).await)
    }

    /// A whole login.
    pub async fn log_in(&self, site: &Site, person: &str) {
        let authorization = self.begin(site).await;
        let callback = self.at_provider.log_in(&authorization, person).await;
        self.come_in(site, callback, person).await;
    }

    /// Opens the page for recent logins: `None` if it is shown, or else where the browser is sent at
    /// the provider.
    pub async fn open_recent(&self, site: &Site) -> Option<String> {
        let [first, _] = site.at_each_node("/recent");
        let response = self.open(first).await;
        if response.status() == 200 {
            return None;
        }
        let login = format!("{}{}", site.url, sent_to(&response));
        Some(sent_to(&self.open(login).await))
    }

    async fn come_in(&self, site: &Site, callback: Url, person: &str) {
        let response = self.get(callback).await;
        assert_eq!(response.status(), 303, "the login of {person}");
        assert_eq!(sent_to(&response), "/account");
        assert!(self.is_in(site).await);
        assert_eq!(self.account(site).await[B::NAMED_BY], person);
    }

    /// A login that fails: its status and its page.
    pub async fn fail_to_log_in(&self, site: &Site, person: &str) -> (u16, String) {
        let authorization = self.begin(site).await;
        let callback = self.at_provider.log_in(&authorization, person).await;
        let response = self.get(callback).await;
        assert!(!self.is_in(site).await);
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Whether the site knows this browser, the same at every node.
    pub async fn is_in(&self, site: &Site) -> bool {
        let [first, second] = site.at_each_node("/account");
        let seen = [self.get(first).await, self.get(second).await];
        match seen.map(|response| response.status().as_u16()) {
            [200, 200] => true,
            [401, 401] => false,
            other => panic!("{other:?}"),
        }
    }

    /// Whom the site takes this browser for.
    pub async fn account(&self, site: &Site) -> Value {
        let [_, second] = site.at_each_node("/account");
        self.get(second).await.json().await.unwrap()
    }

    /// Presses "Sign out": where it is sent.
    pub async fn sign_out(&self, site: &Site) -> String {
        let [_, second] = site.at_each_node("/auth/sign-out");
        sent_to(&self.client.post(second).send().await.unwrap())
    }
}

pub fn sent_to(response: &Response) -> String {
    assert_eq!(response.status(), 303);
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}
