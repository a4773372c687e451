//! A browser without a socket, so that the time can be turned.

use axum::{Router, http::Method};
use test_support::Jar;
pub use test_support::{Answer, answer as send};
use tower_sessions::session::Id;

#[derive(Clone, Default)]
pub struct Browser(Jar);

impl Browser {
    pub async fn get(&mut self, app: &Router, path: &str) -> Answer {
        self.send(app, Method::GET, path).await
    }

    pub async fn post(&mut self, app: &Router, path: &str) -> Answer {
        self.send(app, Method::POST, path).await
    }

    async fn send(&mut self, app: &Router, method: Method, path: &str) -> Answer {
        let answer = send(app, self.0.request(method, path)).await;
        self.0.take(&answer.headers);
        answer
    }

    /// Begins a login: the way back from the provider, with the code of a person.
    pub async fn begin(&mut self, app: &Router, code: &str) -> String {
        let answer = self.get(app, "/clef/login?next=/account").await;
        assert_eq!(answer.status, 303);
        let (_, state) = answer.location().rsplit_once("state=").unwrap();
        format!("/clef/callback?code={code}&state={state}")
    }

    /// Begins to link an identity: the way back from the provider.
    pub async fn begin_link(&mut self, app: &Router, person: &str) -> String {
        self.0.begin_link(app, person).await
    }

    /// A whole login.
    pub async fn log_in(&mut self, app: &Router, code: &str) {
        let callback = self.begin(app, code).await;
        let answer = self.get(app, &callback).await;
        assert_eq!((answer.status, answer.location()), (303, "/account"));
    }

    /// What it keeps and no log may have: states, record ids and the secrets of logins.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let parts = self.0.cookies.values().flat_map(|value| value.split('.'));
        // The start of an attempt is in the clear.
        let parts = parts.filter(|part| part.parse::<i64>().is_err());
        let ids = parts.clone().filter_map(|part| part.parse::<Id>().ok());
        // As `Debug` of tower-sessions has it.
        let ids = ids.map(|id| id.0.to_string());
        parts.map(str::to_owned).chain(ids)
    }

    /// Who this browser is: the provider's id.
    pub async fn is(&mut self, app: &Router) -> Option<String> {
        let answer = self.get(app, "/account").await;
        match answer.status {
            200 => Some(answer.text),
            401 => None,
            other => panic!("neither authenticated nor not: {other}"),
        }
    }
}

/// A request of a program, which has no cookies.
pub async fn with_token(app: &Router, path: &str, token: &str) -> Answer {
    let mut request = Jar::default().request(Method::GET, path);
    let header = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", header);
    send(app, request).await
}

/// A logout notice, which has no cookies.
pub async fn notice(app: &Router, token: &str) -> Answer {
    send(app, test_support::notice_request(token)).await
}
