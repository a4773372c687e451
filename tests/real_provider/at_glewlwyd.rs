use reqwest::{Client, Method, StatusCode, header::LOCATION};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::{
    glewlwyd::{PASSWORD, call},
    visitor::AtProvider,
};

/// A browser at glewlwyd: it calls what the scripts of its pages call.
pub struct AtGlewlwyd {
    client: Client,
    url: String,
}

/// The session that a page ends.
#[derive(Deserialize)]
struct EndingSession {
    iss: String,
    sid: String,
    client: Vec<FrontChannelClient>,
}

#[derive(Deserialize)]
struct FrontChannelClient {
    frontchannel_logout_uri: String,
    frontchannel_logout_session_required: bool,
}

impl AtProvider for AtGlewlwyd {
    const NAMED_BY: &str = "name";

    async fn log_in(&self, authorization: &str, person: &str) -> Url {
        let page = self.sent_to(authorization).await;
        let client_id = parameter(&page, "client_id");
        let credentials = json!({ "username": person, "password": PASSWORD });
        self.call(Method::POST, "auth", &credentials).await;
        let path = format!("auth/grant/{client_id}");
        let scope = json!({ "scope": "openid" });
        self.call(Method::PUT, &path, &scope).await;
        let onward = format!("{}&g_continue", parameter(&page, "callback_url"));
        self.sent_to(&onward).await
    }
}

impl AtGlewlwyd {
    pub fn new(url: &str) -> Self {
        Self {
            client: test_support::Browser::new().client,
            url: url.to_owned(),
        }
    }

    /// Logs out at the page of the account.
    pub async fn log_out(&self) {
        self.call(Method::DELETE, "auth", &Value::Null).await;
    }

    /// Confirms the logout that a site asks for: the address to come back to.
    pub async fn confirm_logout(&self, end_session: &str) -> Url {
        let page = self.sent_to(end_session).await;
        assert_eq!(parameter(&page, "prompt"), "end_session");
        let session = format!("oidc/session/{}", parameter(&page, "sid"));
        let path = format!("{session}/{}", parameter(&page, "client_id"));
        let ending = self.call(Method::GET, &path, &Value::Null).await;
        for frame in frames(&serde_json::from_value(ending).unwrap()) {
            let response = self.client.get(frame).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        }
        self.call(Method::DELETE, &session, &Value::Null).await;
        self.log_out().await;
        parameter(&page, "callback_url").parse().unwrap()
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        call(
            &self.client,
            method,
            &format!("{}/api/{path}", self.url),
            body,
        )
        .await
    }

    async fn sent_to(&self, url: &str) -> Url {
        let response = self.client.get(url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FOUND, "{url}");
        let location = response.headers()[LOCATION].to_str().unwrap();
        location.parse().unwrap()
    }
}

/// The addresses that the page loads in frames, written as it writes them: nothing is encoded.
fn frames(session: &EndingSession) -> Vec<String> {
    let address = |client: &FrontChannelClient| {
        let EndingSession { iss, sid, .. } = session;
        let mut url = format!("{}?iss={iss}", client.frontchannel_logout_uri);
        if client.frontchannel_logout_session_required {
            url.push_str(&format!("&sid={sid}"));
        }
        url
    };
    session.client.iter().map(address).collect()
}

fn parameter(url: &Url, name: &str) -> String {
    let mut pairs = url.query_pairs();
    let pair = pairs.find(|(known, _)| known == name);
    pair.unwrap_or_else(|| panic!("{url} has no {name}"))
        .1
        .into_owned()
}
