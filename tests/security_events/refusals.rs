//! What is no event for this site: refused with a reason, and without an effect.

use serde_json::{Value, json};

use crate::support::{
    ALEX, AUDIENCE, CLIENT_ID, EC, Heard, OTHER_RSA, PATH, RISC, RSA, Scene, error_code, header,
    now, push, sign, unsigned,
};

#[tokio::test]
async fn each_claim_that_is_wrong_is_refused_with_its_code() {
    let scene = Scene::new().await;
    let changed = |name: &str, value: Value| {
        let mut claims = scene.disabled();
        claims[name] = value;
        sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = scene.disabled();
        claims.as_object_mut().unwrap().remove(name);
        sign(&claims)
    };
    let typed = |kind: Value| {
        let mut header = header(&RSA);
        header["typ"] = kind;
        RSA.sign_with(&header, &scene.disabled())
    };
    let disabled = format!("{RISC}/account-disabled");
    for (token, code) in [
        (
            changed("iss", "https://elsewhere.test".into()),
            "invalid_issuer",
        ),
        (
            changed("iss", format!("{}/", scene.transmitter.issuer).into()),
            "invalid_issuer",
        ),
        // The issuer of the subjects is not that of the events.
        (
            changed("iss", scene.site.provider.issuer.clone().into()),
            "invalid_issuer",
        ),
        (without("iss"), "invalid_request"),
        (
            changed("aud", "https://elsewhere.test".into()),
            "invalid_audience",
        ),
        (changed("aud", json!([])), "invalid_audience"),
        (
            changed("aud", format!("{AUDIENCE}/").into()),
            "invalid_audience",
        ),
        (without("aud"), "invalid_request"),
        (changed("iat", (now() + 600).into()), "invalid_request"),
        (changed("iat", (now() - 90_000).into()), "invalid_request"),
        (changed("iat", "now".into()), "invalid_request"),
        (without("iat"), "invalid_request"),
        (without("jti"), "invalid_request"),
        (changed("jti", "".into()), "invalid_request"),
        (changed("jti", "x".repeat(1_025).into()), "invalid_request"),
        (without("events"), "invalid_request"),
        (changed("events", json!({})), "invalid_request"),
        (changed("events", json!([disabled])), "invalid_request"),
        (
            changed("events", json!({ &disabled: null })),
            "invalid_request",
        ),
        (
            changed(
                "events",
                (0..9).map(|n| (n.to_string(), json!({}))).collect(),
            ),
            "invalid_request",
        ),
        (changed("more", (0..250).collect()), "invalid_request"),
        (changed("exp", (now() + 300).into()), "invalid_request"),
        (changed("exp", Value::Null), "invalid_request"),
        (changed("sub", "alex".into()), "invalid_request"),
        (changed("nonce", "1".into()), "invalid_request"),
        (typed("JWT".into()), "invalid_request"),
        (typed("logout+jwt".into()), "invalid_request"),
        (typed(Value::Null), "invalid_request"),
        (RSA.sign(&scene.disabled()), "invalid_request"),
        (EC.sign_with(&header(&EC), &scene.disabled()), "invalid_key"),
        (
            unsigned(
                &json!({ "alg": "none", "typ": "secevent+jwt" }),
                &scene.disabled(),
            ),
            "invalid_key",
        ),
        ("no token".to_owned(), "invalid_request"),
        (
            RSA.sign_text(&header(&RSA).to_string(), "[1]"),
            "invalid_request",
        ),
        (
            RSA.sign_text(
                &header(&RSA).to_string(),
                &format!("{{\"events\":{}", "[".repeat(1_000)),
            ),
            "invalid_request",
        ),
        (
            // Names that differ by an escape only.
            RSA.sign_text(
                &header(&RSA).to_string(),
                &scene
                    .disabled()
                    .to_string()
                    .replacen('{', r#"{"\u0069at":1,"#, 1),
            ),
            "invalid_request",
        ),
    ] {
        let heard = scene.push(&token).await;
        assert_eq!(error_code(&heard), code, "{token}");
        assert!(scene.all_are_in().await, "{token}");
    }
    for token in RSA.forged_as_mac(&scene.disabled()) {
        assert_eq!(error_code(&scene.push(&token).await), "invalid_key");
    }
    assert!(scene.all_are_in().await);
    // The signature is verified last.
    assert_eq!(scene.transmitter.script().requests, [""; 0]);
    let among_others = changed("aud", json!(["https://elsewhere.test", AUDIENCE]));
    assert_eq!(scene.push(&among_others).await.status, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

/// The sender may have a new key: 503 while its keys were fetched a moment ago.
#[tokio::test]
async fn a_signature_by_another_key_has_no_effect() {
    let scene = Scene::new().await;
    let foreign = OTHER_RSA.sign_with(&header(&OTHER_RSA), &scene.disabled());
    let good = sign(&scene.disabled());
    let broken = format!("{}AAAA", &good[..good.len() - 4]);
    let mut as_known = header(&OTHER_RSA);
    as_known["kid"] = RSA.id.into();
    let under_known_id = OTHER_RSA.sign_with(&as_known, &scene.disabled());
    let first = scene.push(&foreign).await;
    assert_eq!(error_code(&first), "invalid_key", "the keys are fresh");
    for token in [foreign, broken, under_known_id] {
        let status = scene.push(&token).await.status;
        assert!([400, 503].contains(&status), "{status}");
        assert!(scene.all_are_in().await);
    }
}

#[tokio::test]
async fn tokens_for_other_purposes_are_no_events() {
    let scene = Scene::new().await;
    // The provider signs with the same key here, and has the same issuer.
    scene.transmitter.script().metadata = json!({ "issuer": scene.transmitter.issuer });
    let mut logout = scene.site.provider.logout_claims(ALEX);
    logout["iss"] = scene.transmitter.issuer.clone().into();
    logout["aud"] = AUDIENCE.into();
    let id_token = json!({
        "iss": scene.transmitter.issuer, "aud": AUDIENCE, "sub": "alex", "nonce": "1",
        "iat": now(), "exp": now() + 300, "jti": "1",
    });
    let mut logout_header = RSA.header();
    logout_header["typ"] = "logout+jwt".into();
    for token in [
        RSA.sign(&id_token),
        RSA.sign(&logout),
        RSA.sign_with(&logout_header, &logout),
        // Even under the type of events.
        sign(&id_token),
        sign(&logout),
    ] {
        assert_eq!(error_code(&scene.push(&token).await), "invalid_request");
        assert!(scene.all_are_in().await);
    }
}

#[tokio::test]
async fn an_event_is_no_logout_token() {
    let scene = Scene::new().await;
    let mut claims = scene.disabled();
    claims["iss"] = scene.site.provider.issuer.clone().into();
    claims["aud"] = CLIENT_ID.into();
    let mut both = claims.clone();
    both["events"]["http://schemas.openid.net/event/backchannel-logout"] = json!({});
    both["sub"] = "alex".into();
    for claims in [&claims, &both] {
        assert_eq!(scene.nodes[1].notice(&sign(claims)).await.status, 400);
        assert!(scene.all_are_in().await);
    }
}

#[tokio::test]
async fn a_request_in_another_form_is_refused_before_anything_is_fetched() {
    let scene = Scene::new().await;
    let good = sign(&scene.disabled());
    let request = |token: &str, kind: &'static str| {
        let request = scene.request("").body(token.to_owned());
        let mut request = request.build().unwrap();
        request
            .headers_mut()
            .insert("content-type", kind.parse().unwrap());
        reqwest::RequestBuilder::from_parts(client(), request)
    };
    for (token, kind, status) in [
        (&*good, "application/jwt", 400),
        (&good, "application/json", 400),
        (&good, "text/plain", 400),
        ("", "application/secevent+jwt", 400),
        ("  ", "application/secevent+jwt", 400),
        ("\u{e9}", "application/secevent+jwt", 400),
        (&"x".repeat(17 * 1024), "application/secevent+jwt", 413),
    ] {
        let heard = Heard::from(request(token, kind)).await;
        assert_eq!(heard.status, status, "{kind}");
        if status == 400 {
            assert_eq!(error_code(&heard), "invalid_request", "{kind}");
        }
    }
    assert_eq!(scene.transmitter.script().requests, [""; 0]);
    assert!(scene.all_are_in().await);
    for kind in [
        "application/secevent+jwt; charset=utf-8",
        "Application/SecEvent+JWT",
    ] {
        let claims = sign(&scene.disabled());
        assert_eq!(
            Heard::from(request(&claims, kind)).await.status,
            202,
            "{kind}"
        );
    }
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_request_without_the_agreed_authorization_is_refused() {
    let scene = Scene::with(|receiver| receiver.authorization("Bearer of the stream")).await;
    let token = sign(&scene.disabled());
    let url = || scene.nodes[1].url(PATH);
    for request in [
        push(url(), &token),
        push(url(), &token).header("authorization", "Bearer of another"),
        push(url(), &token)
            .header("authorization", "Bearer of the stream")
            .header("authorization", "Bearer of the stream"),
    ] {
        let heard = Heard::from(request).await;
        assert_eq!(error_code(&heard), "authentication_failed");
        assert!(scene.all_are_in().await);
    }
    let request = push(url(), &token).header("authorization", "Bearer of the stream");
    assert_eq!(Heard::from(request).await.status, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
}
