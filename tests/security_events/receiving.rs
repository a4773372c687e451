//! What each event ends, and how it is acknowledged.

use serde_json::{Value, json};

use crate::{
    conformance::Stream,
    support::{CAEP, OAUTH, RISC, SSF, Scene, log, sign},
};

const ALL: &[&str] = &["phone", "desk", "kim"];
const KIM_ALONE: &[&str] = &["kim"];

/// Each event, and who is left after it.
fn table() -> Vec<(String, Value, &'static [&'static str])> {
    let change = |change: &str| json!({ "credential_type": "password", "change_type": change });
    let empty = || json!({});
    vec![
        (format!("{CAEP}/session-revoked"), empty(), KIM_ALONE),
        (format!("{CAEP}/credential-change"), change("create"), ALL),
        (
            format!("{CAEP}/credential-change"),
            change("revoke"),
            KIM_ALONE,
        ),
        (
            format!("{CAEP}/credential-change"),
            change("update"),
            KIM_ALONE,
        ),
        (
            format!("{CAEP}/credential-change"),
            change("delete"),
            KIM_ALONE,
        ),
        (format!("{CAEP}/credential-change"), empty(), KIM_ALONE),
        (format!("{CAEP}/token-claims-change"), empty(), ALL),
        (format!("{CAEP}/assurance-level-change"), empty(), ALL),
        (format!("{CAEP}/device-compliance-change"), empty(), ALL),
        (format!("{CAEP}/risk-level-change"), empty(), ALL),
        (format!("{CAEP}/session-established"), empty(), ALL),
        (format!("{CAEP}/session-presented"), empty(), ALL),
        (
            format!("{RISC}/account-disabled"),
            json!({ "reason": "hijacking" }),
            KIM_ALONE,
        ),
        (format!("{RISC}/account-purged"), empty(), KIM_ALONE),
        (
            format!("{RISC}/account-credential-change-required"),
            empty(),
            KIM_ALONE,
        ),
        (format!("{RISC}/credential-compromise"), empty(), KIM_ALONE),
        (format!("{RISC}/sessions-revoked"), empty(), KIM_ALONE),
        (format!("{RISC}/account-enabled"), empty(), ALL),
        (format!("{RISC}/identifier-changed"), empty(), ALL),
        (format!("{RISC}/identifier-recycled"), empty(), ALL),
        (format!("{RISC}/opt-in"), empty(), ALL),
        (format!("{RISC}/opt-out-initiated"), empty(), ALL),
        (format!("{RISC}/opt-out-cancelled"), empty(), ALL),
        (format!("{RISC}/opt-out-effective"), empty(), ALL),
        (format!("{RISC}/recovery-activated"), empty(), ALL),
        (format!("{RISC}/recovery-information-changed"), empty(), ALL),
        (format!("{OAUTH}/tokens-revoked"), empty(), KIM_ALONE),
        (format!("{OAUTH}/token-revoked"), empty(), ALL),
        (format!("{SSF}/verification"), empty(), ALL),
        (
            format!("{SSF}/stream-updated"),
            json!({ "status": "paused" }),
            ALL,
        ),
        (
            "https://elsewhere.test/session-revoked".to_owned(),
            empty(),
            ALL,
        ),
        // Apple's names are no URIs of this framework.
        (
            "https://elsewhere.test/consent-revoked".to_owned(),
            empty(),
            ALL,
        ),
    ]
}

#[tokio::test]
async fn each_event_ends_what_the_table_says() {
    for is_push in [true, false] {
        let stream = Stream::create(is_push).await;
        let scene = &stream.scene;
        for (uri, members, left) in table() {
            stream.send(&scene.of_alex(&uri, members)).await;
            assert_eq!(scene.who_is_in().await, left, "{uri}, pushed: {is_push}");
            scene.log_in().await;
        }
        stream.remove().await;
    }
}

#[tokio::test]
async fn a_token_with_several_events_ends_what_each_names() {
    let scene = Scene::new().await;
    let mut claims = scene.of_alex(&format!("{RISC}/account-enabled"), json!({}));
    claims["events"][format!("{CAEP}/session-revoked")] = json!({});
    claims["events"]["https://elsewhere.test/unknown"] = json!({ "subject": "any" });
    assert_eq!(scene.send(&claims).await, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    scene.log_in().await;
    let mut each = scene.transmitter.claims(
        &format!("{RISC}/account-disabled"),
        json!({ "subject": scene.alex() }),
    );
    let kim = scene.person(crate::support::KIM);
    each["events"][format!("{RISC}/account-purged")] = json!({ "subject": kim });
    assert_eq!(scene.send(&each).await, 202);
    assert!(scene.who_is_in().await.is_empty());
}

#[tokio::test]
async fn an_event_that_comes_again_is_one_effect() {
    let scene = Scene::new().await;
    let claims = scene.disabled();
    let token = sign(&claims);
    assert_eq!(scene.push(&token).await.status, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    scene.log_in().await;
    let heard = scene.push(&token).await;
    assert_eq!((heard.status, &*heard.body), (202, ""));
    // The same event in another token.
    let mut again: Value = claims.clone();
    again["iat"] = (claims["iat"].as_u64().unwrap() - 1).into();
    assert_eq!(scene.send(&again).await, 202);
    assert!(scene.all_are_in().await);
    // Two at once are one, too.
    let token = sign(&scene.disabled());
    let (one, other) = tokio::join!(scene.push(&token), scene.push(&token));
    assert_eq!((one.status, other.status), (202, 202));
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn an_event_is_503_while_the_store_fails_and_then_works() {
    let scene = Scene::new().await;
    scene.site.users.fail_logouts(true);
    let token = sign(&scene.disabled());
    let heard = scene.push(&token).await;
    assert_eq!((heard.status, &*heard.body), (503, ""));
    assert!(heard.headers.contains_key("retry-after"));
    assert_eq!(
        scene.phone.is(&scene.nodes[1]).await,
        None,
        "refused meanwhile"
    );
    scene.site.users.fail_logouts(false);
    assert_eq!(scene.push(&token).await.status, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    scene.log_in().await;
    assert_eq!(scene.push(&token).await.status, 202, "a replay by now");
    assert!(scene.all_are_in().await);
}

#[tokio::test]
async fn an_event_is_503_while_the_keys_cannot_be_fetched() {
    let scene = Scene::new().await;
    scene.transmitter.script().keys_down = true;
    let token = sign(&scene.disabled());
    assert_eq!(scene.push(&token).await.status, 503);
    assert!(scene.all_are_in().await);
}

#[tokio::test]
async fn the_application_chooses_which_changes_of_credentials_end_logins() {
    let scene =
        Scene::with(|receiver| receiver.credential_changes(|it| it.credential_type == "password"))
            .await;
    let uri = format!("{CAEP}/credential-change");
    let change = |kind: &str| json!({ "credential_type": kind, "change_type": "create" });
    assert_eq!(
        scene
            .send(&scene.of_alex(&uri, change("fido2-roaming")))
            .await,
        202
    );
    assert!(scene.all_are_in().await);
    assert_eq!(
        scene.send(&scene.of_alex(&uri, change("password"))).await,
        202
    );
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn the_cause_goes_with_the_logout() {
    let scene = Scene::new().await;
    for (uri, members, cause) in [
        (
            format!("{CAEP}/session-revoked"),
            json!({}),
            "provider:session-revoked",
        ),
        (
            format!("{CAEP}/session-revoked"),
            json!({ "initiating_entity": "admin" }),
            "administrator",
        ),
        (
            format!("{CAEP}/session-revoked"),
            json!({ "initiating_entity": "user" }),
            "user",
        ),
        (
            format!("{CAEP}/session-revoked"),
            json!({ "initiating_entity": "policy" }),
            "policy",
        ),
        (
            format!("{CAEP}/credential-change"),
            json!({}),
            "credentials-changed",
        ),
        (
            format!("{RISC}/account-purged"),
            json!({}),
            "provider:account-purged",
        ),
    ] {
        log::listen();
        assert_eq!(scene.send(&scene.of_alex(&uri, members)).await, 202);
        let events = log::events("INFO");
        let cause = format!(" cause={cause} sender=");
        assert!(events[0].contains(&cause), "{events:?}");
    }
}
