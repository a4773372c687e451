//! The Clef client against the wire facts: what it sends, and what it makes of every answer.

use std::{
    error::Error as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use axum_clef::{
    AddressError, LogoutCause, Profile, Subject,
    clef::{Clef, ClefError},
    provider::{
        CodeExchange, LoginRequest, LoginSecret, LogoutEndpoint as _, LogoutMessage, LogoutScope,
        OneTimeState, Provider as _, ProviderError, ProviderErrorKind,
    },
};
use clef_dev::ClefService;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const APP_ID: &str = "4f318ac177a9391c2e0d221203725ffd";
const APP_SECRET: &str = "2125d80f4583c52c46f8084bcc030c9b";

/// A Clef that answers what it is told, and keeps what it was asked.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<Vec<(StatusCode, String)>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// Starts it with the answers to come, the first first.
    async fn start(answers: &[(u16, String)]) -> (Self, Clef) {
        let script = Self::default();
        let answers = answers.iter().rev();
        *script.answers.lock().unwrap() = answers
            .map(|(status, body)| (StatusCode::from_u16(*status).unwrap(), body.clone()))
            .collect();
        let app = Router::new().fallback(answer).with_state(script.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let clef = client(listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (script, clef)
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1_000_000).await.unwrap();
    let line = format!(
        "{} {} {}",
        parts.method,
        parts.uri,
        String::from_utf8(body.to_vec()).unwrap()
    );
    script.requests.lock().unwrap().push(line);
    let (status, body) = script.answers.lock().unwrap().pop().unwrap();
    let mut response = (status, Body::from(body)).into_response();
    if status.is_redirection() {
        let elsewhere = "/api/v1/elsewhere".parse().unwrap();
        response.headers_mut().insert("location", elsewhere);
    }
    response
}

fn client(address: SocketAddr) -> Clef {
    let base = format!("http://{address}/");
    Clef::new(&base, APP_ID, APP_SECRET).unwrap()
}

async fn exchange(clef: &Clef) -> Result<Profile, ProviderError> {
    let code = SecretString::from("the code&=+");
    let callback = "https://site.example/clef/callback".parse().unwrap();
    let logout = "https://site.example/clef/logout".parse().unwrap();
    let secret = LoginSecret::from_bytes([7; 32]);
    let exchange = CodeExchange::new(&code, &callback, &logout, &secret);
    Ok(clef.exchange(&exchange).await?.profile)
}

async fn log_out(clef: &Clef) -> Result<Subject, ProviderError> {
    let notice = clef
        .verify(
            &LogoutMessage::new("the token&=+"),
            &"https://site.example/clef/logout".parse().unwrap(),
        )
        .await?;
    // Users of Clef log out on the phone.
    assert_eq!(notice.cause, LogoutCause::User);
    match notice.scopes.as_slice() {
        [LogoutScope::Person(person)] => Ok(person.clone()),
        other => panic!("Clef logs people out, not {other:?}"),
    }
}

fn cause(error: &ProviderError) -> &ClefError {
    error.source().unwrap().downcast_ref().unwrap()
}

fn authorized() -> (u16, String) {
    let answer = json!({ "success": true, "access_token": "the access token&=+" });
    (200, answer.to_string())
}

fn informed(info: &Value) -> (u16, String) {
    (200, json!({ "success": true, "info": info }).to_string())
}

#[tokio::test]
async fn a_login_is_two_calls() {
    let info = informed(&json!({
        "id": 4_283_383_571_u64,
        "first_name": "Alex",
        "last_name": "",
        "email": "alex@getclef.com",
        "phone_number": null,
        "more": { "ignored": true },
    }));
    let (script, clef) = Script::start(&[authorized(), info]).await;
    let profile = exchange(&clef).await.unwrap();

    assert_eq!(profile.subject.id(), "4283383571");
    assert!(profile.subject.issuer().starts_with("http://127.0.0.1:"));
    assert!(!profile.subject.issuer().ends_with('/'));
    assert_eq!(profile.first_name.as_deref(), Some("Alex"));
    assert_eq!(profile.last_name, None);
    assert_eq!(profile.email.as_deref(), Some("alex@getclef.com"));
    assert_eq!(profile.phone_number, None);
    assert_eq!(
        *script.requests.lock().unwrap(),
        [
            format!(
                "POST /api/v1/authorize code=the+code%26%3D%2B&app_id={APP_ID}\
                 &app_secret={APP_SECRET}\
                 &logout_hook=https%3A%2F%2Fsite.example%2Fclef%2Flogout"
            ),
            "GET /api/v1/info?access_token=the+access+token%26%3D%2B ".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_logout_token_is_one_call() {
    let answer = json!({ "success": true, "clef_id": 172_632_085 });
    let (script, clef) = Script::start(&[(200, answer.to_string())]).await;
    assert_eq!(log_out(&clef).await.unwrap().id(), "172632085");
    assert_eq!(
        *script.requests.lock().unwrap(),
        [format!(
            "POST /api/v1/logout logout_token=the+token%26%3D%2B&app_id={APP_ID}\
             &app_secret={APP_SECRET}"
        )]
    );
}

#[tokio::test]
async fn an_id_is_text_however_it_is_written() {
    for (id, text) in [
        (json!(12345), "12345"),
        (json!("12345"), "12345"),
        (
            json!(18_446_744_073_709_551_615_u64),
            "18446744073709551615",
        ),
        (
            json!("0123456789abcdef0123456789abcdef"),
            "0123456789abcdef0123456789abcdef",
        ),
    ] {
        let info = informed(&json!({ "id": id }));
        let answer = json!({ "success": true, "clef_id": id }).to_string();
        let (_, clef) = Script::start(&[authorized(), info, (200, answer)]).await;
        assert_eq!(exchange(&clef).await.unwrap().subject.id(), text);
        assert_eq!(log_out(&clef).await.unwrap().id(), text);
    }
    for id in [
        json!(null),
        json!(""),
        json!(1.5),
        json!(-1),
        json!([1]),
        json!(true),
    ] {
        let answer = json!({ "success": true, "clef_id": id }).to_string();
        let (_, clef) = Script::start(&[(200, answer)]).await;
        let error = log_out(&clef).await.unwrap_err();
        assert!(matches!(cause(&error), ClefError::Incomplete(_)), "{id}");
    }
}

#[tokio::test]
async fn any_truthy_success_counts_and_no_other() {
    for (success, counts) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(1), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(0), false),
        (json!(""), false),
        (json!(null), false),
    ] {
        let answer = json!({ "success": success, "clef_id": 1 }).to_string();
        let (_, clef) = Script::start(&[(200, answer)]).await;
        assert_eq!(log_out(&clef).await.is_ok(), counts, "{success}");
    }
    let (_, clef) = Script::start(&[(200, json!({ "clef_id": 1 }).to_string())]).await;
    assert!(log_out(&clef).await.is_err());
}

#[tokio::test]
async fn every_error_has_its_type() {
    use ProviderErrorKind::{Misconfigured, Refused, Unavailable};

    type Is = fn(&ClefError) -> bool;
    let table: [(u16, &str, ProviderErrorKind, Is); 9] = [
        (403, "Invalid App ID.", Misconfigured, |e| {
            matches!(e, ClefError::InvalidAppId)
        }),
        (403, "Invalid App Secret.", Misconfigured, |e| {
            matches!(e, ClefError::InvalidAppSecret)
        }),
        (403, "Invalid OAuth Code.", Refused, |e| {
            matches!(e, ClefError::InvalidCode)
        }),
        (403, "Invalid token.", Refused, |e| {
            matches!(e, ClefError::InvalidToken)
        }),
        (400, "Invalid logout hook URL.", Misconfigured, |e| {
            matches!(e, ClefError::InvalidLogoutHookUrl)
        }),
        (403, "Invalid Logout Token.", Refused, |e| {
            matches!(e, ClefError::InvalidLogoutToken)
        }),
        (400, "Invalid Logout Token.", Refused, |e| {
            matches!(e, ClefError::InvalidLogoutToken)
        }),
        (400, "Invalid App.", Misconfigured, |e| {
            matches!(e, ClefError::InvalidApp)
        }),
        (
            403,
            "Invalid\u{7} Moon.\n",
            Unavailable,
            |e| matches!(e, ClefError::Unknown { message, .. } if message == "Invalid Moon."),
        ),
    ];
    for (status, text, kind, is) in table {
        let answer = (status, json!({ "error": text }).to_string());
        let (_, clef) = Script::start(&[answer.clone(), answer]).await;
        for error in [
            exchange(&clef).await.unwrap_err(),
            log_out(&clef).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), kind, "{text}");
            assert!(is(cause(&error)), "{text}: {error:?}");
        }
    }
}

#[tokio::test]
async fn an_error_counts_whatever_the_status_says() {
    let answer = json!({ "success": true, "error": "Invalid App.", "clef_id": 1 });
    let (_, clef) = Script::start(&[(200, answer.to_string())]).await;
    let error = log_out(&clef).await.unwrap_err();
    assert!(matches!(cause(&error), ClefError::InvalidApp));

    let answer = json!({ "success": true, "clef_id": 1 });
    let (_, clef) = Script::start(&[(500, answer.to_string())]).await;
    let error = log_out(&clef).await.unwrap_err();
    assert!(matches!(cause(&error), ClefError::Incomplete(_)));

    let answer = format!("{APP_SECRET} the code&=+ the+code%26%3D%2B are no good");
    let (_, clef) = Script::start(&[(400, json!({ "error": answer }).to_string())]).await;
    let error = exchange(&clef).await.unwrap_err();
    assert!(matches!(
        cause(&error),
        ClefError::Unknown { message, .. } if message == "… … … are no good"
    ));

    let message = "x".repeat(10_000);
    let answer = json!({ "error": { "nested": message } });
    let (_, clef) = Script::start(&[(400, answer.to_string())]).await;
    let error = log_out(&clef).await.unwrap_err();
    assert!(matches!(
        cause(&error),
        ClefError::Unknown { message, .. } if message.len() == 200
    ));
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_unavailable() {
    type Is = fn(&ClefError) -> bool;
    let html = "<!doctype html><h1>Internal Server Error</h1>";
    let large = format!(
        "{{\"success\":true,\"clef_id\":\"{}\"}}",
        "1".repeat(70_000)
    );
    let deep = "[".repeat(60_000);
    let table: [(u16, &str, Is); 11] = [
        (500, html, |e| matches!(e, ClefError::NotJson(_))),
        (200, html, |e| matches!(e, ClefError::NotJson(_))),
        (404, html, |e| matches!(e, ClefError::NotFound)),
        (200, "", |e| matches!(e, ClefError::NotJson(_))),
        (200, "[]", |e| matches!(e, ClefError::NotJson(_))),
        (200, &deep, |e| matches!(e, ClefError::NotJson(_))),
        (200, "{}", |e| matches!(e, ClefError::Incomplete(_))),
        (200, "{\"success\":true}", |e| {
            matches!(e, ClefError::Incomplete(_))
        }),
        (204, "", |e| matches!(e, ClefError::NotJson(_))),
        (302, "{\"success\":true,\"clef_id\":1}", |e| {
            matches!(e, ClefError::Redirected(_))
        }),
        (200, &large, |e| {
            matches!(e, ClefError::TooLarge { limit: 65_536 })
        }),
    ];
    for (status, body, is) in table {
        let (script, clef) = Script::start(&[(status, body.to_owned())]).await;
        let error = log_out(&clef).await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Unavailable);
        assert!(is(cause(&error)), "{status}: {error:?}");
        assert_eq!(
            script.requests.lock().unwrap().len(),
            1,
            "no redirect is followed"
        );
    }
}

#[tokio::test]
async fn a_clef_that_is_not_there_or_hangs_up_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clef = client(listener.local_addr().unwrap());
    let hangs_up = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
    });
    let error = log_out(&clef).await.unwrap_err();
    assert!(
        matches!(cause(&error), ClefError::Unreachable(_)),
        "{error:?}"
    );
    hangs_up.await.unwrap();
    let error = exchange(&clef).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Unavailable);
    assert!(
        matches!(cause(&error), ClefError::Unreachable(_)),
        "{error:?}"
    );
}

/// The limit is five seconds, and this test waits for them: there is no clock to turn in a
/// connection that is real.
#[tokio::test]
async fn a_clef_that_drips_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clef = client(listener.local_addr().unwrap());
    let drip = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n{")
            .await
            .unwrap();
        // As long as somebody listens.
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    let error = log_out(&clef).await.unwrap_err();
    assert!(matches!(cause(&error), ClefError::TimedOut), "{error:?}");
    assert_eq!(error.kind(), ProviderErrorKind::Unavailable);
    drip.await.unwrap();
}

#[tokio::test]
async fn no_error_tells_a_secret() {
    // Broken off after the call with the access token in its URL.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clef = client(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        let body = json!({ "success": true, "access_token": "SECRET-TOKEN" }).to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let _ = stream.read(&mut request).await;
    });
    let error = exchange(&clef).await.unwrap_err();
    let mut text = format!("{clef:?} {error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    assert!(matches!(cause(&error), ClefError::Unreachable(_)), "{text}");
    for secret in ["SECRET-TOKEN", "the code", APP_SECRET] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn the_secret_travels_encrypted_or_not_at_all() {
    for good in [
        "https://clef.example",
        "https://clef.example/api",
        "http://127.0.0.1:5050/",
        "http://[::1]:5050",
        "http://clef.localhost:5050",
    ] {
        assert!(Clef::new(good, APP_ID, APP_SECRET).is_ok(), "{good}");
    }
    for (bad, why) in [
        ("", AddressError::NotAbsolute),
        ("clef.example", AddressError::NotAbsolute),
        ("//clef.example", AddressError::NotAbsolute),
        ("ftp://clef.example", AddressError::NotHttp),
        ("http://clef.example", AddressError::Insecure),
        ("http://10.0.0.1", AddressError::Insecure),
        ("https://clef.example?a=b", AddressError::NotPlain),
        ("https://alex@clef.example", AddressError::NotPlain),
    ] {
        let error = Clef::new(bad, APP_ID, APP_SECRET).unwrap_err();
        assert_eq!(error, why, "{bad}");
    }
}

#[tokio::test]
async fn people_go_to_the_base_url() {
    let clef = Clef::new("https://clef.example/api/", APP_ID, APP_SECRET).unwrap();
    let callback = "https://site.example/clef/callback".parse().unwrap();
    let (state, secret) = (OneTimeState::new("state"), LoginSecret::from_bytes([7; 32]));
    let login = LoginRequest::new(&callback, &state, &secret);
    let page = clef.login_url(&login).await.unwrap();
    let expected = "https://clef.example/api/iframes/qr?";
    assert!(page.as_str().starts_with(expected), "{page}");
}

/// The names are not in `/etc/hosts`, and no name server need know them.
#[tokio::test]
async fn names_under_localhost_lead_to_this_machine() {
    let service = ClefService::builder().start().await.unwrap();
    let port = service.address().port();
    for host in [
        "localhost",
        "clef.localhost",
        "a.clef.localhost",
        "CLEF.localhost",
    ] {
        let base = format!("http://{host}:{port}");
        let clef = Clef::new(&base, APP_ID, APP_SECRET).unwrap();
        let error = log_out(&clef).await.unwrap_err();
        let is_answered = matches!(cause(&error), ClefError::InvalidLogoutToken);
        assert!(is_answered, "{host}: {:?}", cause(&error));
    }
}
