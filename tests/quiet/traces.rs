//! Everything that this process traces, at TRACE.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    routing::{get, post},
};
use axum_clef::{
    clef::Clef,
    provider::{CodeExchange, LoginSecret, Provider as _},
};
use clef_dev::{ClefService, PEOPLE};
use secrecy::SecretString;
use tokio::net::TcpListener;
use url::Url;

use crate::world::World;

/// Everything that was traced.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test]
async fn nothing_secret_is_traced_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    for sealed in [false, true] {
        a_whole_life(World::start(sealed).await, &log).await;
    }
}

/// Logins, logouts and failures at a site, and then a look at the log.
async fn a_whole_life(mut world: World, log: &Log) {
    // A login, a request, a logout on the phone, a request.
    world.log_in(0).await;
    assert_eq!(world.status().await, 200);
    let path = format!("{}/phone/{}/log-out", world.clef.url(), PEOPLE[0].id());
    let rows: serde_json::Value = world
        .client
        .post(path)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(rows[0]["status"], 200);
    assert_eq!(world.status().await, 401);

    // A login of somebody else, a token, good and bad requests with it, its end, and a sign-out.
    world.log_in(1).await;
    world.note_cookies();
    let others = world.client.post(format!("{}/others", world.site));
    assert_eq!(others.send().await.unwrap().status(), 200);
    let token = world.client.post(format!("{}/new-token", world.site));
    let token = token.send().await.unwrap().text().await.unwrap();
    assert!(token.starts_with("clef_"));
    let ask = |value: String| {
        let request = world.client.get(format!("{}/account", world.site));
        request.header("authorization", value).send()
    };
    for (value, status) in [
        (format!("Bearer {token}"), 200),
        (format!("Bearer {token}A"), 401),
        (format!("Bearer {}", &token[..token.len() - 9]), 401),
        (format!("Bearer {token} {token}"), 400),
        ("Bearer SECRET-TOKEN".to_owned(), 401),
    ] {
        assert_eq!(ask(value).await.unwrap().status(), status);
    }
    let end = world.client.post(format!("{}/auth/sign-out", world.site));
    let end = end.bearer_auth(&token).send().await.unwrap();
    assert_eq!(end.status(), 204);
    assert_eq!(ask(format!("Bearer {token}")).await.unwrap().status(), 401);
    world.secrets.push(token["clef_".len()..60].to_owned());
    let others = ["SECRET-TOKEN", "SECRET-NAME"];
    world.secrets.extend(others.map(str::to_owned));
    let sign_out = world.client.post(format!("{}/auth/sign-out", world.site));
    assert_eq!(sign_out.send().await.unwrap().status(), 303);

    // A replay leads on. Failures: a state and a code that are no good, a token that is no good, garbage cookies,
    // and a Clef that has gone.
    let callback = world.approve(2).await;
    assert_eq!(world.get(&callback).await.0, 303);
    assert_eq!(world.get(&callback).await.0, 303);
    let foreign = callback.replace("state=", "state=A");
    assert_eq!(world.get(&foreign).await.0, 403);
    let callback = world.approve(2).await;
    let spoilt = callback.replace("code=", "code=spoilt-SECRET-CODE");
    world.secrets.push("SECRET-CODE".to_owned());
    assert_eq!(world.get(&spoilt).await.0, 403);
    let notice = |token: &'static str| {
        let form = [("logout_token", token)];
        let request = world.client.post(format!("{}/clef/logout", world.site));
        request.form(&form).send()
    };
    assert_eq!(notice("SECRET-LOGOUT-TOKEN").await.unwrap().status(), 400);
    let port = world.site.rsplit(':').next().unwrap();
    let garbage = world
        .client
        .get(format!("{}/account", world.site))
        .header("cookie", format!("auth-{port}=SECRET-COOKIE.SECRET-COOKIE"));
    assert_eq!(garbage.send().await.unwrap().status(), 401);
    let callback = world.approve(0).await;
    let address = world.clef.address();
    world.clef = ClefService::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    // The port is free only when the old service has let go of it.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.get(&callback).await.0, 502);
    let notice = [("logout_token", "SECRET-LOGOUT-TOKEN")];
    let request = world.client.post(format!("{}/clef/logout", world.site));
    let response = request.form(&notice).send().await.unwrap();
    assert_eq!(response.status(), 503);

    // An access token, which no browser ever sees.
    let tells = Router::new()
        .route(
            "/api/v1/authorize",
            post(|| async { r#"{"success":true,"access_token":"SECRET-ACCESS-TOKEN"}"# }),
        )
        .route(
            "/api/v1/info",
            get(|| async { r#"{"success":true,"info":{"id":1}}"# }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, tells).await.unwrap() });
    let clef = Clef::new(&url, "id", "secret").unwrap();
    let callback: Url = "https://site.example/".parse().unwrap();
    let code = SecretString::from("SECRET-CODE");
    let secret = LoginSecret::from_bytes([7; 32]);
    let code = CodeExchange::new(&code, &callback, &callback, &secret);
    assert_eq!(
        clef.exchange(&code).await.unwrap().profile.subject.id(),
        "1"
    );
    world.secrets.push("SECRET-ACCESS-TOKEN".to_owned());

    let text = log.text();
    world
        .secrets
        .extend(["SECRET-LOGOUT-TOKEN", "SECRET-COOKIE"].map(str::to_owned));
    world
        .secrets
        .extend(PEOPLE.iter().filter_map(|p| p.email().map(str::to_owned)));
    assert!(world.secrets.len() > 20, "the browser has seen some");
    for secret in &world.secrets {
        assert!(secret.len() > 8, "{secret:?} would be found by chance");
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret:?} is in the log");
    }

    log.0.lock().unwrap().clear();

    // Quiet, and useful all the same: one event a login, a logout, a refusal.
    let ours = |message: &str| {
        let mut lines = text.lines();
        lines.any(|line| line.contains(" axum_clef::") && line.contains(message))
    };
    for message in [
        "logged in user=",
        "logged out everywhere subject=",
        "signed out on this device",
        "a login is refused user=",
        "a token is made user=",
        "a bearer token is refused kind=InvalidToken",
        "a bearer token is refused kind=MalformedAuthorization",
        "a login was rejected kind=StateMismatch",
        "a login was rejected kind=Refused",
        "a login failed kind=ProviderUnavailable",
        "a logout notice was rejected",
        "a logout notice could not be verified",
    ] {
        assert!(ours(message), "{message:?} is missing in the log");
    }
}
