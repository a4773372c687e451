//! Forged events beside real ones.

use std::time::Duration;

use serde_json::json;

use crate::support::{OTHER_RSA, RISC, Scene, header, sign};

#[tokio::test]
async fn forged_events_keep_no_real_one_from_its_effect() {
    let scene = Scene::new().await;
    // The sender is known by its first event.
    let first = scene.of_alex(&format!("{RISC}/account-enabled"), json!({}));
    assert_eq!(scene.send(&first).await, 202);
    let mut forged = Vec::new();
    for number in 0..200 {
        let mut claims = scene.disabled();
        claims["jti"] = format!("forged-{number}").into();
        let token = match number % 2 {
            0 => OTHER_RSA.sign_with(&header(&OTHER_RSA), &claims),
            _ => format!("{}AAAA", sign(&claims)),
        };
        let request = scene.request(&token);
        forged.push(tokio::spawn(async move {
            request.send().await.unwrap().status().as_u16()
        }));
    }
    let real = sign(&scene.disabled());
    let real = tokio::time::timeout(Duration::from_secs(10), scene.push(&real)).await;
    assert_eq!(real.unwrap().status, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    for status in forged {
        let status = status.await.unwrap();
        assert!([400, 503].contains(&status), "{status}");
    }
    let requests = scene.transmitter.script().requests.len();
    assert!(requests <= 4, "{requests} requests for keys");
    assert!(scene.kim.is(&scene.nodes[0]).await.is_some());
}
