//! Telling sites of a log-out.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post};
use clef_dev::{Application, ClefService, ClefServiceBuilder};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Barrier};

use crate::bench::*;

#[tokio::test]
async fn the_published_code_is_a_login_too() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Success).await;
    // A name that no name server knows.
    let hook = site.hook().replace("localhost", "shop.localhost");
    token(
        bench
            .exchange("code_1234567890", &[("logout_hook", &hook)])
            .await,
    );
    let rows = bench.log_out(ALEX).await;
    assert_eq!(rows[0]["url"], json!(hook));
    assert_eq!(rows[0]["status"], json!(200));
    assert_eq!(site.tokens().len(), 1);
}

#[tokio::test]
async fn a_log_out_tells_every_site() {
    let bench = Bench::new().await;
    let (one, two) = (
        Site::start(Reply::Success).await,
        Site::start(Reply::Success).await,
    );
    let mut access_tokens = Vec::new();
    for site in [&one, &two] {
        let token = bench.log_in(NOOR, &site.redirect(), &site.hook()).await;
        access_tokens.push(token);
    }
    bench.log_in(TEO, &one.redirect(), &one.hook()).await;
    let unused = bench.code(NOOR, REDIRECT).await;

    let rows = bench.log_out(NOOR).await;

    assert_eq!(rows.as_array().unwrap().len(), 2);
    for (row, site) in rows.as_array().unwrap().iter().zip([&one, &two]) {
        assert_eq!(row["url"], json!(site.hook()));
        assert_eq!(row["status"], json!(200));
        assert!(row["milliseconds"].is_u64());
        assert!(row.get("error").is_none());
        assert_eq!(row.as_object().unwrap().len(), 3);
    }
    assert_eq!(
        bench.exchange(&unused, &[]).await,
        error(403, "Invalid OAuth Code.")
    );
    for token in &access_tokens {
        assert_eq!(bench.info(token).await, error(403, "Invalid token."));
    }

    // What the sites were sent, and what they can do with it.
    let (headers, form) = one.heard.lock().unwrap()[0].clone();
    assert_eq!(headers["user-agent"], "Clef/1.0 (https://getclef.com)");
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(form.len(), 1);
    assert_ne!(one.tokens(), two.tokens());
    let logout = async |token: &str, app: &Application, secret: &str| {
        let form = [
            ("logout_token", token),
            ("app_id", app.id()),
            ("app_secret", secret),
        ];
        bench.call("/api/v1/logout", &form).await
    };
    let no_app = error(403, "Invalid App.");
    let no_token = error(403, "Invalid Logout Token.");
    let sent = &one.tokens()[0];
    assert_eq!(bench.call("/api/v1/logout", &[]).await, no_app);
    assert_eq!(logout(sent, APP, OTHER_APP.secret()).await, no_app);
    assert_eq!(logout("1234567890", APP, APP.secret()).await, no_token);
    assert_eq!(logout(sent, OTHER_APP, OTHER_APP.secret()).await, no_token);
    let told = json!({ "success": true, "clef_id": 6_283_383_571_u64 });
    assert_eq!(logout(sent, APP, APP.secret()).await, (200, told));
    assert_eq!(logout(sent, APP, APP.secret()).await, no_token);

    // Noor is nowhere now; Teo still is.
    assert_eq!(bench.log_out(NOOR).await, json!([]));
    assert_eq!(bench.log_out(TEO).await.as_array().unwrap().len(), 1);
    let id = json!(TEO.id());
    let last = &one.tokens()[1];
    assert_eq!(logout(last, APP, APP.secret()).await.1["clef_id"], id);
}

/// A site whose hook answers only once another call has come to the same barrier.
async fn meeting_site(barrier: Arc<Barrier>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let wait = async move || {
        barrier.wait().await;
        "Ok"
    };
    let app = Router::new().route("/clef/logout", post(wait));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://127.0.0.1:{port}")
}

#[tokio::test]
async fn sites_are_told_at_the_same_time() {
    let bench = Bench::new().await;
    let barrier = Arc::new(Barrier::new(2));
    for _ in 0..2 {
        let site = meeting_site(Arc::clone(&barrier)).await;
        let hook = format!("{site}/clef/logout");
        bench.log_in(ALEX, &format!("{site}/cb"), &hook).await;
    }
    let rows = bench.log_out(ALEX).await;
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert!(!rows.to_string().contains("error"), "{rows}");
}

#[tokio::test]
async fn a_login_during_a_log_out_stays() {
    let bench = Bench::new().await;
    let barrier = Arc::new(Barrier::new(2));
    let site = meeting_site(Arc::clone(&barrier)).await;
    let (redirect, hook) = (format!("{site}/cb"), format!("{site}/clef/logout"));
    let old = bench.log_in(ALEX, &redirect, &hook).await;

    let new_login = async {
        // The log-out has begun when the access token is dead; its call waits at the barrier, for
        // the one that the site gets before it is entered anew.
        while bench.info(&old).await.0 == 200 {}
        bench.log_in(ALEX, &redirect, &hook).await
    };
    let (rows, new) = tokio::join!(bench.log_out(ALEX), new_login);

    assert!(rows[0].get("error").is_none(), "{rows}");
    assert_eq!(bench.info(&new).await.0, 200);
    let page = bench.get("/phone/12345").send().await.unwrap();
    let (_, page) = page_of(page).await;
    assert!(page.contains("just now"));
}

#[tokio::test]
async fn a_site_that_was_not_told_is_told_again() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Page).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;

    let explained = |rows: &Value, status: u16, words: &str| {
        assert_eq!(rows[0]["status"], json!(status), "{rows}");
        let error = rows[0]["error"].as_str().unwrap();
        assert!(error.contains(words), "{error}");
    };
    explained(&bench.log_out(ALEX).await, 200, "page");
    site.now_answers(Reply::Redirect);
    explained(&bench.log_out(ALEX).await, 303, "redirect");
    site.now_answers(Reply::Long(64 * 1024 + 1));
    explained(&bench.log_out(ALEX).await, 200, "64 KiB");
    site.now_answers(Reply::Quote);
    let rows = bench.log_out(ALEX).await;
    explained(&rows, 503, "what is …?");
    let tokens = site.tokens();
    assert_eq!(tokens.len(), 4);
    assert!(tokens.iter().all(|token| !rows.to_string().contains(token)));

    site.now_answers(Reply::Long(64 * 1024));
    let rows = bench.log_out(ALEX).await;
    assert!(rows[0].get("error").is_none(), "{rows}");
    assert_eq!(bench.log_out(ALEX).await, json!([]));
}

#[tokio::test]
async fn sites_that_cannot_be_called_are_explained() {
    let bench = Bench::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    drop(listener);
    let hook = format!("{base}/clef/logout");
    bench.log_in(ALEX, &format!("{base}/cb"), &hook).await;
    let code = bench.code(ALEX, REDIRECT).await;
    token(bench.exchange(&code, &[]).await);

    let rows = bench.log_out(ALEX).await;
    assert_eq!(rows[0]["url"], json!(hook));
    assert_eq!(rows[0]["status"], Value::Null);
    assert!(
        rows[0]["error"]
            .as_str()
            .unwrap()
            .starts_with("No connection")
    );
    assert_eq!(rows[1]["url"], Value::Null);
    assert_eq!(rows[1]["status"], Value::Null);
    let error = rows[1]["error"].as_str().unwrap();
    assert!(error.contains("No logout hook") && error.contains("localhost:3000"));

    // The one may come back; the other cannot ever be told.
    assert_eq!(bench.log_out(ALEX).await.as_array().unwrap().len(), 1);
}

/// Retries without waiting for them.
fn eager(retries: usize) -> ClefServiceBuilder {
    ClefService::builder().retry_pauses(vec![Duration::ZERO; retries])
}

#[tokio::test]
async fn a_site_that_fails_is_told_again_with_a_fresh_token() {
    let bench = Bench::of(eager(3)).await;
    let site = Site::start(Reply::FailsFirst(2)).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    let rows = bench.log_out(ALEX).await;
    assert_eq!(rows[0]["status"], json!(503), "answered after the first");
    bench.clef.wait_for_deliveries().await;

    let log = bench.clef.deliveries();
    let attempts: Vec<_> = log
        .iter()
        .map(|d| (d.attempt, d.status, d.will_retry))
        .collect();
    let expected = [
        (1, Some(503), true),
        (2, Some(503), true),
        (3, Some(200), false),
    ];
    assert_eq!(attempts, expected);
    let mut tokens = site.tokens();
    tokens.sort();
    tokens.dedup();
    assert_eq!(
        tokens.len(),
        3,
        "a token is good once, even if its answer was lost"
    );
    assert_eq!(bench.log_out(ALEX).await, json!([]));
}

#[tokio::test]
async fn retries_end() {
    let bench = Bench::of(eager(2)).await;
    let site = Site::start(Reply::Page).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    bench.log_out(ALEX).await;
    bench.clef.wait_for_deliveries().await;
    assert_eq!(site.tokens().len(), 3);
    assert!(!bench.clef.deliveries()[2].will_retry);
    // It stays on the list, to be told by the next.
    site.now_answers(Reply::Success);
    assert_eq!(bench.log_out(ALEX).await[0]["status"], json!(200));
}

#[tokio::test]
async fn a_site_that_knows_nobody_is_not_told_again() {
    let bench = Bench::of(eager(3)).await;
    let site = Site::start(Reply::Nobody).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    let rows = bench.log_out(ALEX).await;
    assert!(rows[0]["error"].as_str().unwrap().contains("who is that?"));
    assert!(!bench.clef.deliveries()[0].will_retry);
    bench.clef.wait_for_deliveries().await;
    assert_eq!(site.tokens().len(), 1);
    assert_eq!(bench.log_out(ALEX).await, json!([]));
}

#[tokio::test]
async fn what_is_owed_is_told_before_the_new_login() {
    // The retry would come in an hour: after the new login, which it would end.
    let builder = ClefService::builder().retry_pauses([Duration::from_secs(3600)]);
    let bench = Bench::of(builder).await;
    let site = Site::start(Reply::FailsFirst(1)).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    bench.log_out(ALEX).await;
    let elsewhere = Site::start(Reply::Success).await;
    bench
        .log_in(ALEX, &elsewhere.redirect(), &elsewhere.hook())
        .await;
    assert_eq!(site.tokens().len(), 1, "only the site that is entered");

    let code = bench.code(ALEX, &site.redirect()).await;
    assert_eq!(site.tokens().len(), 2, "before the browser has its code");
    token(
        bench
            .exchange(&code, &[("logout_hook", &site.hook())])
            .await,
    );
    let log = bench.clef.deliveries();
    assert!(log[1].succeeded() && log[1].attempt == 1);
}

#[tokio::test]
async fn a_login_that_nobody_ends_does_not_void_what_is_owed() {
    let bench = Bench::of(eager(1)).await;
    let site = Site::start(Reply::FailsFirst(3)).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    bench.log_out(ALEX).await;
    bench.clef.wait_for_deliveries().await;
    assert_eq!(site.tokens().len(), 2, "told in vain");

    // A code that is never exchanged: the old login is still all there is.
    bench.code(ALEX, &site.redirect()).await;
    bench.clef.wait_for_deliveries().await;
    let log = bench.clef.deliveries();
    assert!(log.last().unwrap().succeeded(), "{log:?}");
}

#[tokio::test]
async fn the_log_is_json_and_a_page() {
    let bench = Bench::of(eager(0)).await;
    let site = Site::start(Reply::Quote).await;
    bench.log_in(NOOR, &site.redirect(), &site.hook()).await;
    bench.log_out(NOOR).await;
    let path = format!("/phone/{}/deliveries", NOOR.id());
    let (status, log) = json_of(bench.get(&path).send().await.unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(log.as_array().unwrap().len(), 1);
    let row = &log[0];
    assert_eq!(row["person"], NOOR.id());
    assert_eq!(row["url"], site.hook());
    assert_eq!((&row["attempt"], &row["status"]), (&json!(1), &json!(503)));
    assert_eq!(row["will_retry"], json!(false));
    assert!(row["sent_at"].as_str().unwrap().ends_with('Z') && row["milliseconds"].is_u64());
    assert!(row["answer"].as_str().unwrap().contains("what is …?"));
    assert!(!log.to_string().contains(&site.tokens()[0]));

    for path in [&path, "/phone/6283383571"] {
        let request = bench.get(path).header("accept", "text/html");
        let (_, page) = page_of(request.send().await.unwrap()).await;
        assert!(
            page.contains(&site.hook()) && page.contains("what is …?"),
            "{path}"
        );
        assert!(!page.contains(&site.tokens()[0]));
    }
    let other = bench.get("/phone/12345/deliveries").send().await.unwrap();
    assert_eq!(json_of(other).await.1, json!([]));
}
