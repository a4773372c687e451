use std::collections::HashMap;

use reqwest::{
    Response,
    header::{LOCATION, SET_COOKIE},
};
use url::Url;

use super::{Node, OpenIdProvider, Person};

/// A browser with a cookie jar, which logs in at the OpenID provider.
#[derive(Default)]
pub struct Browser(test_support::Browser);

impl Browser {
    pub fn new() -> Self {
        Self::default()
    }

    pub async fn get(&self, node: &Node, path: &str) -> Response {
        self.0.get(&**node, path).send().await.unwrap()
    }

    /// Whom the node takes this browser for.
    pub async fn is(&self, node: &Node) -> Option<String> {
        let response = self.get(node, "/account").await;
        match response.status().as_u16() {
            200 => Some(response.text().await.unwrap()),
            401 => None,
            other => panic!("neither in nor out: {other}"),
        }
    }

    /// Begins a login: where the browser is sent.
    pub async fn begin(&self, node: &Node) -> String {
        self.begin_at(node, "/clef/login?next=/account").await
    }

    /// Begins a login at this address.
    pub async fn begin_at(&self, node: &Node, start: &str) -> String {
        let response = self.get(node, start).await;
        assert_eq!(response.status(), 303);
        location(&response)
    }

    /// Comes back from the provider with these parameters.
    pub async fn come_back(&self, node: &Node, parameters: &[(&str, &str)]) -> Response {
        let request = self.0.get(&**node, "/clef/callback");
        request.query(parameters).send().await.unwrap()
    }

    /// Comes back from a page of the provider that posts a form: the browser adds no `SameSite=Lax`
    /// cookie to it, and keeps those of the answer.
    pub async fn come_back_by_form(&self, node: &Node, fields: &[(&str, &str)]) -> Response {
        let without_cookies = Browser::new();
        let request = without_cookies.0.post(&**node, "/clef/callback");
        let response = request.form(fields).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("SameSite=Lax") && cookie.contains("HttpOnly"));
            self.0.set_cookie(&**node, cookie);
        }
        response
    }

    /// Follows a redirect.
    pub async fn follow(&self, node: &Node, response: Response) -> Response {
        assert_eq!(response.status(), 303);
        self.get(node, &location(&response)).await
    }

    /// Sets a cookie, as an attacker would.
    pub fn set_cookie(&self, node: &Node, cookie: &str) {
        self.0.set_cookie(&**node, cookie);
    }

    /// The cookies that this browser would send.
    pub fn cookies(&self, node: &Node) -> String {
        self.0.cookies(&**node)
    }

    /// The last step of a login: the answer to the callback.
    pub async fn enter(&self, node: &Node, provider: &OpenIdProvider, person: Person) -> Response {
        let url = self.begin(node).await;
        self.finish(node, provider, person, &url).await
    }

    /// The same for a login that was sent to this address of the provider.
    pub async fn finish(
        &self,
        node: &Node,
        provider: &OpenIdProvider,
        person: Person,
        url: &str,
    ) -> Response {
        let code = provider.approve(url, person);
        let state = &query(url)["state"];
        let issuer = ("iss", provider.issuer.as_str());
        self.come_back(node, &[("code", &code), ("state", state), issuer])
            .await
    }

    /// A whole login.
    pub async fn log_in(&self, node: &Node, provider: &OpenIdProvider, person: Person) {
        let response = self.enter(node, provider, person).await;
        assert_eq!(response.status(), 303, "the login of {}", person.subject);
        assert_eq!(location(&response), "/account");
        assert_eq!(self.is(node).await.as_deref(), Some(person.subject));
    }

    /// Signs out: where the browser is sent.
    pub async fn sign_out(&self, node: &Node) -> String {
        let request = self.0.post(&**node, "/auth/sign-out");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 303);
        location(&response)
    }
}

pub fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

/// The parameters in an address.
pub fn query(url: &str) -> HashMap<String, String> {
    let url = Url::parse(url).unwrap();
    url.query_pairs().into_owned().collect()
}
