use std::time::{Duration, Instant};

use reqwest::{Client, Response, StatusCode, redirect::Policy};
use serde_json::Value;

use super::{logins::HookCall, loopback::LoopbackFirst, site_url::SiteUrl};

/// How long the connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How long the whole call may take, the connection and the answer included.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// How much of an answer is read, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;
/// How much of a site's own words is passed on, in characters.
const WORDS_LIMIT: usize = 200;

/// Calls the logout webhooks of sites.
#[derive(Clone)]
pub(super) struct Webhooks {
    client: Client,
}

/// What came of a call.
pub(super) struct Outcome {
    /// The status that the site answered with, if it answered.
    pub(super) status: Option<u16>,
    pub(super) took: Duration,
    /// The beginning of the answer.
    pub(super) answer: Option<String>,
    /// Why the site does not count as told, in plain words.
    pub(super) error: Option<String>,
    /// The site has nobody to log out: telling it again is of no use.
    pub(super) nobody_there: bool,
}

/// What a site answered.
struct Answer {
    status: StatusCode,
    body: Result<Vec<u8>, String>,
}

impl Webhooks {
    pub(super) fn new() -> reqwest::Result<Self> {
        let client = Client::builder()
            .user_agent("Clef/1.0 (https://getclef.com)")
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(LoopbackFirst)
            .connect_timeout(CONNECT_LIMIT)
            .timeout(CALL_LIMIT)
            // A site under development restarts often; a kept connection would be a dead one.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { client })
    }

    /// Tells a site. Never fails: what went wrong is part of the outcome.
    pub(super) async fn deliver(&self, call: &HookCall) -> Outcome {
        let start = Instant::now();
        let answer = self.call(&call.url, &call.logout_token).await;
        let took = start.elapsed();
        // A site may well quote what it was sent.
        let quiet = |text: String| text.replace(&call.logout_token, "…");
        let Answer { status, body } = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return Outcome {
                    status: None,
                    took,
                    answer: None,
                    error: Some(error),
                    nobody_there: false,
                };
            }
        };
        let verdict = match &body {
            Ok(body) => judge(status, body),
            Err(error) => Err(error.clone()),
        };
        let body = body.unwrap_or_default();
        Outcome {
            status: Some(status.as_u16()),
            took,
            answer: Some(quiet(String::from_utf8_lossy(&body).into_owned()))
                .map(|text| text.chars().take(WORDS_LIMIT).collect()),
            error: verdict.err().map(quiet),
            nobody_there: knows_nobody(status, &body),
        }
    }

    async fn call(&self, url: &SiteUrl, logout_token: &str) -> Result<Answer, String> {
        let response = self
            .client
            .post(url.as_url().clone())
            .form(&[("logout_token", logout_token)])
            .send()
            .await
            .map_err(explain)?;
        Ok(Answer {
            status: response.status(),
            body: read(response).await,
        })
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(explain)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(format!(
                "The answer is longer than {} KiB.",
                ANSWER_LIMIT / 1024
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether the answer says that the person is logged out there.
///
/// The body decides, not its type: official samples sent `Ok` as `text/html`.
fn judge(status: StatusCode, body: &[u8]) -> Result<(), String> {
    if status.is_redirection() {
        return Err(format!(
            "The site answered with a redirect ({status}). A logout hook must answer itself: it \
             carries no cookie and follows nobody."
        ));
    }
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let explanation = json
        .as_ref()
        .and_then(|json| json.get("error"))
        .and_then(Value::as_str)
        .map(|text| -> String { text.chars().take(WORDS_LIMIT).collect() });
    if status != StatusCode::OK {
        return Err(match explanation {
            Some(text) => format!("The site answered {status}: {text}"),
            None => format!("The site answered {status}."),
        });
    }
    if let Some(json) = &json {
        return match (json.get("success"), explanation) {
            (Some(success), _) if is_truthy(success) => Ok(()),
            (_, Some(text)) => Err(format!("The site answered that it failed: {text}")),
            (Some(_), None) => Err("The site answered that it failed.".to_owned()),
            (None, None) => Err("The answer has no \"success\".".to_owned()),
        };
    }
    let text = body.trim_ascii();
    if text.eq_ignore_ascii_case(b"ok") || text.eq_ignore_ascii_case(b"bye") {
        Ok(())
    } else if text.is_empty() {
        Err("The answer is empty; {\"success\":true} was expected.".to_owned())
    } else if text.starts_with(b"<") {
        Err("The answer is a page; {\"success\":true} was expected.".to_owned())
    } else {
        Err("The answer is not {\"success\":true}.".to_owned())
    }
}

/// Whether the site says that the person was never there: 404, and `success` is false. A page that
/// is not found is no such answer.
fn knows_nobody(status: StatusCode, body: &[u8]) -> bool {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    status == StatusCode::NOT_FOUND
        && json.is_some_and(|json| json.get("success").is_some_and(|told| !is_truthy(told)))
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => {
            let text = text.trim();
            !text.is_empty() && text != "0" && !text.eq_ignore_ascii_case("false")
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// The error in plain words. The row has the URL already.
fn explain(error: reqwest::Error) -> String {
    if error.is_connect() && error.is_timeout() {
        format!("No connection within {} seconds.", CONNECT_LIMIT.as_secs())
    } else if error.is_timeout() {
        format!("No answer within {} seconds.", CALL_LIMIT.as_secs())
    } else if error.is_connect() {
        "No connection. Is the site running?".to_owned()
    } else {
        format!("The call failed: {}.", error.without_url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(body: &str) -> bool {
        judge(StatusCode::OK, body.as_bytes()).is_ok()
    }

    #[test]
    fn official_answers_are_understood() {
        for body in [
            r#"{"success":true}"#,
            r#" {"success": "true", "more": 1}"#,
            r#"{"success":1}"#,
            "Ok",
            "OK\n",
            " bye ",
        ] {
            assert!(ok(body), "{body}");
        }
    }

    #[test]
    fn other_answers_are_failures() {
        for body in [
            "",
            "<!doctype html><p>Ok",
            "okay",
            "{}",
            "[]",
            "true",
            r#""ok""#,
            r#"{"success":false}"#,
            r#"{"success":"false"}"#,
            r#"{"success":0}"#,
            r#"{"success":null}"#,
            r#"{"success":true"#,
            "\u{0}",
        ] {
            assert!(!ok(body), "{body}");
        }
    }

    #[test]
    fn only_200_is_a_success() {
        for status in [201, 204, 302, 400, 404, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            let verdict = judge(status, br#"{"success":true}"#);
            assert!(verdict.unwrap_err().contains(status.as_str()));
        }
    }

    #[test]
    fn a_site_may_know_nobody() {
        let knows_nobody = |status, body: &str| {
            super::knows_nobody(StatusCode::from_u16(status).unwrap(), body.as_bytes())
        };
        assert!(knows_nobody(404, r#"{"success":false,"error":"who?"}"#));
        assert!(!knows_nobody(404, r#"{"error":"no such page"}"#));
        assert!(!knows_nobody(404, "<p>no such page"));
        assert!(!knows_nobody(503, r#"{"success":false}"#));
    }

    #[test]
    fn the_sites_own_words_are_passed_on() {
        let body = br#"{"success":false,"error":"no such user"}"#;
        for status in [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE] {
            let error = judge(status, body).unwrap_err();
            assert!(error.ends_with(": no such user"), "{error}");
        }
        let long = format!(r#"{{"error":"{}"}}"#, "é".repeat(5000));
        let error = judge(StatusCode::OK, long.as_bytes()).unwrap_err();
        assert!(error.chars().count() < 300);
    }
}
