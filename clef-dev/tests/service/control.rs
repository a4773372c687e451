//! What other people's tests hold in their hands.

use std::time::Duration;

use clef_dev::{Application, ClefService, Fault, Person};
use serde_json::json;

use crate::bench::*;

#[tokio::test]
async fn people_and_applications_can_be_registered() {
    let builder = ClefService::builder()
        .application(Application::new("shop", "secret"))
        .person(Person::new("4283383571", "Maya", "Okafor"));
    let bench = Bench::of(builder).await;
    let url = bench
        .clef
        .log_in("4283383571", "shop", REDIRECT, Some("s"))
        .await
        .unwrap();
    let form = [
        ("code", parameter(&url, "code")),
        ("client_id", "shop".to_owned()),
        ("client_secret", "secret".to_owned()),
    ];
    let form: Vec<_> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let token = token(bench.call("/api/v1/authorize", &form).await);
    let expected = json!({ "id": 4_283_383_571_u64, "first_name": "Maya", "last_name": "Okafor" });
    assert_eq!(
        bench.info(&token).await.1["info"],
        expected,
        "no more than there is"
    );
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_at_the_start() {
    for (builder, words) in [
        (
            ClefService::builder().person(Person::new("a b", "A", "B")),
            "\"a b\"",
        ),
        (
            ClefService::builder().person(ALEX.clone()),
            "two people with the id \"12345\"",
        ),
        (
            ClefService::builder().application(Application::new("a", "b").on("http://x/y")),
            "Write it like \"localhost:3000\"",
        ),
        (
            ClefService::builder().address("0.0.0.0:0".parse().unwrap()),
            "loopback",
        ),
    ] {
        let refused = builder.start().await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let told = ClefService::builder()
        .address("0.0.0.0:0".parse().unwrap())
        .reachable_by_everybody_who_can_then_log_in_as_anybody();
    assert!(told.start().await.unwrap().address().ip().is_unspecified());
}

#[tokio::test]
async fn what_is_not_there_is_an_error_in_words() {
    let clef = ClefService::builder().start().await.unwrap();
    let nobody = clef.log_out("nobody").await.unwrap_err().to_string();
    assert!(nobody.contains("\"nobody\"") && nobody.contains("PEOPLE"));
    assert!(clef.set_timer("nobody", None).is_err());
    assert!(clef.wait_until_logged_out("nobody").await.is_err());
    let log_in = async |person: &str, app: &str, url: &str, state: Option<&str>| {
        clef.log_in(person, app, url, state)
            .await
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert!(
        log_in("nobody", APP.id(), REDIRECT, None)
            .await
            .contains("PEOPLE")
    );
    assert!(
        log_in("12345", "x", REDIRECT, None)
            .await
            .contains("Invalid App ID.")
    );
    let outside = "http://example.com/";
    assert!(
        log_in("12345", APP.id(), outside, None)
            .await
            .contains("localhost")
    );
    assert!(
        log_in("12345", APP.id(), REDIRECT, Some("\n"))
            .await
            .contains("Invalid state.")
    );
}

#[tokio::test]
async fn a_timer_that_runs_out_tells_everybody() {
    let bench = Bench::new().await;
    let sites = [
        Site::start(Reply::Success).await,
        Site::start(Reply::Success).await,
    ];
    let mut tokens = Vec::new();
    for site in &sites {
        tokens.push(bench.log_in(ALEX, &site.redirect(), &site.hook()).await);
        bench.log_in(NOOR, &site.redirect(), &site.hook()).await;
    }
    bench
        .clef
        .set_timer(ALEX.id(), Some(Duration::from_millis(20)))
        .unwrap();
    soon(bench.clef.wait_until_logged_out(ALEX.id()))
        .await
        .unwrap();

    for site in &sites {
        assert_eq!(site.tokens().len(), 1);
    }
    assert_eq!(bench.info(&tokens[0]).await, error(403, "Invalid token."));
    assert!(
        bench
            .clef
            .deliveries()
            .iter()
            .all(|d| d.person == ALEX.id() && d.succeeded())
    );
    assert_eq!(bench.log_out(ALEX).await, json!([]));
    assert_eq!(
        bench.log_out(NOOR).await.as_array().unwrap().len(),
        2,
        "she has her own"
    );

    // A timer that is due counts as under way. It is not due before the login is there.
    bench.clef.set_timer(ALEX.id(), None).unwrap();
    bench
        .log_in(ALEX, &sites[0].redirect(), &sites[0].hook())
        .await;
    bench
        .clef
        .set_timer(ALEX.id(), Some(Duration::ZERO))
        .unwrap();
    soon(bench.clef.wait_for_deliveries()).await;
    assert_eq!(bench.log_out(ALEX).await, json!([]));
}

#[tokio::test]
async fn nobody_logged_in_is_waited_for_no_longer() {
    let clef = ClefService::builder().start().await.unwrap();
    clef.wait_until_logged_out("12345").await.unwrap();
    clef.wait_for_deliveries().await;
    assert!(clef.log_out("12345").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_api_misbehaves_and_behaves_again() {
    let bench = Bench::new().await;
    let code = bench.code(ALEX, REDIRECT).await;
    let ask = async || {
        let form = [
            ("code", code.as_str()),
            ("app_id", APP.id()),
            ("app_secret", APP.secret()),
        ];
        let answer = bench
            .post("/api/v1/authorize")
            .form(&form)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    };
    for (fault, status, start) in [
        (Fault::Down, 500, "<!doctype"),
        (Fault::HtmlInsteadOfJson, 200, "<!doctype"),
        (Fault::WrongAnswer, 200, "{\"answer\""),
    ] {
        bench.clef.misbehave(fault);
        let answer = ask().await;
        assert_eq!(answer.0, status, "{fault:?}");
        assert!(answer.1.starts_with(start), "{answer:?}");
        let phone = bench.get("/phone/12345").send().await.unwrap();
        assert_eq!(page_of(phone).await.0, 200, "the pages go on");
        bench.clef.behave();
    }
    for fault in [Fault::Hangs, Fault::Slow(Duration::from_secs(3600))] {
        bench.clef.misbehave(fault);
        let hangs = bench.get("/api/v1/info").timeout(Duration::from_millis(50));
        assert!(hangs.send().await.unwrap_err().is_timeout(), "{fault:?}");
        bench.clef.behave();
    }
    bench.clef.misbehave(Fault::Slow(Duration::from_millis(1)));
    assert_eq!(ask().await.0, 200, "the code was as good as before");
}

#[tokio::test]
async fn a_webhook_comes_twice() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Success).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    bench.clef.misbehave(Fault::WebhookTwice);
    assert_eq!(bench.clef.log_out(ALEX.id()).await.unwrap().len(), 1);
    bench.clef.wait_for_deliveries().await;
    let tokens = site.tokens();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn a_webhook_comes_late() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Success).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    bench
        .clef
        .misbehave(Fault::WebhookLate(Duration::from_millis(1)));
    assert!(bench.clef.log_out(ALEX.id()).await.unwrap()[0].succeeded());
    assert_eq!(site.tokens().len(), 1);
}

#[tokio::test]
async fn a_login_does_not_hold_up_for_a_late_webhook() {
    let bench = Bench::new().await;
    let site = Site::start(Reply::Success).await;
    bench.log_in(ALEX, &site.redirect(), &site.hook()).await;
    bench
        .clef
        .misbehave(Fault::WebhookLate(Duration::from_secs(3600)));
    let log_in = async {
        // What is on its way stays late; what is owed before the new login does not.
        bench.clef.behave();
        bench.log_in(ALEX, &site.redirect(), &site.hook()).await
    };
    let new = tokio::select! {
        biased;
        _ = bench.clef.log_out(ALEX.id()) => panic!("it is late"),
        new = log_in => new,
    };
    assert_eq!(bench.info(&new).await.0, 200);
    assert_eq!(site.tokens().len(), 1);
}
