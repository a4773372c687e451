use reqwest::{Client, Response, StatusCode, header::LOCATION};
use serde_json::{Value, json};
use url::Url;

use crate::{
    node_process::NodeProcess,
    site::Site,
    visitor::{AtProvider, Visitor},
};

const PASSWORD: &str = "a-password-of-the-tests";

/// better-auth as a process, with the people of `better_auth/server.mjs`; dropped, it ends.
pub struct BetterAuth {
    issuer: String,
    process: NodeProcess,
}

impl BetterAuth {
    /// Signing with this algorithm.
    pub async fn start(algorithm: &str) -> Self {
        let environment = [("ALGORITHM", algorithm), ("PASSWORD", PASSWORD)];
        let (process, issuer) = NodeProcess::start("better_auth", &environment).await;
        Self { issuer, process }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn visitor(&self) -> Visitor<AtBetterAuth> {
        Visitor::with(AtBetterAuth {
            client: test_support::Browser::new().client,
            api: self.issuer.clone(),
        })
    }

    pub async fn register(&mut self, site: &Site) {
        self.process.ask("register", &site.metadata()).await;
    }
}

/// A browser at better-auth: it calls what the scripts of an application's pages call.
pub struct AtBetterAuth {
    client: Client,
    api: String,
}

impl AtProvider for AtBetterAuth {
    const NAMED_BY: &str = "email";

    async fn log_in(&self, authorization: &str, person: &str) -> Url {
        let page = self.navigate(authorization).await;
        let credentials = json!({
            "email": person,
            "password": PASSWORD,
            "oauth_query": page.query().unwrap(),
        });
        let answer = self.call("sign-in/email", &credentials).await;
        answer["url"].as_str().unwrap().parse().unwrap()
    }
}

impl AtBetterAuth {
    /// Logs out of this browser.
    pub async fn log_out(&self) {
        self.call("sign-out", &json!({})).await;
    }

    /// Logs out of all other browsers.
    pub async fn log_out_others(&self) {
        self.call("revoke-other-sessions", &json!({})).await;
    }

    /// Changes the password, and lets no other browser stay logged in.
    pub async fn change_password(&self) {
        let body = json!({
            "currentPassword": PASSWORD,
            "newPassword": "another-password-of-the-tests",
            "revokeOtherSessions": true,
        });
        self.call("change-password", &body).await;
    }

    /// Opens an address there, as a person does: where the browser is sent.
    pub async fn navigate(&self, url: &str) -> Url {
        let request = self.client.get(url).header("accept", "text/html");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FOUND, "{url}");
        let location = response.headers()[LOCATION].to_str().unwrap();
        response.url().join(location).unwrap()
    }

    async fn call(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}/{path}", self.api)).json(body);
        let origin = self.api.trim_end_matches("/api/auth");
        let response: Response = request.header("origin", origin).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }
}
