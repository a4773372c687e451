//! Logout tokens beyond the conformance suite: the rest of what Back-Channel Logout asks for, and
//! what people forge.

use serde_json::{Value, json};

use crate::support::{ALEX, Browser, CLIENT_SECRET, Node, OTHER_RSA, RSA, Site, mac, unsigned};

async fn logged_in() -> (Site, Node, Browser) {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    (site, node, browser)
}

type Change = fn(&mut Value);

fn remove(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name);
}

#[tokio::test]
async fn every_claim_is_looked_at() {
    let (site, node, browser) = logged_in().await;
    let changes: [(&str, Change); 24] = [
        ("no iss", |c| remove(c, "iss")),
        ("no aud", |c| remove(c, "aud")),
        ("no iat", |c| remove(c, "iat")),
        ("no jti", |c| remove(c, "jti")),
        ("a jti that is null", |c| c["jti"] = json!(null)),
        ("an empty jti", |c| c["jti"] = json!("")),
        ("a jti that is a number", |c| c["jti"] = json!(1)),
        ("an endless jti", |c| c["jti"] = json!("x".repeat(1_025))),
        ("neither sub nor sid", |c| {
            remove(c, "sub");
            remove(c, "sid");
        }),
        ("an empty sub", |c| c["sub"] = json!("")),
        ("an empty sid", |c| c["sid"] = json!("")),
        ("a long sub", |c| c["sub"] = json!("x".repeat(256))),
        ("a sid that is a list", |c| c["sid"] = json!(["session-1"])),
        ("events as a list", |c| {
            c["events"] = json!(["http://schemas.openid.net/event/backchannel-logout"]);
        }),
        ("events as text", |c| {
            c["events"] = json!("http://schemas.openid.net/event/backchannel-logout");
        }),
        ("an empty nonce", |c| c["nonce"] = json!("")),
        ("for others too", |c| c["aud"] = json!(["the site:1", "x"])),
        ("a part of the audience", |c| {
            c["aud"] = json!("the site:12")
        }),
        ("another issuer by a slash", |c| {
            c["iss"] = json!(format!("{}/", c["iss"].as_str().unwrap()));
        }),
        ("expired", |c| {
            c["exp"] = json!(c["iat"].as_u64().unwrap() - 121)
        }),
        ("exp as text", |c| c["exp"] = json!("99999999999")),
        ("not yet", |c| {
            c["iat"] = json!(c["iat"].as_u64().unwrap() + 130)
        }),
        ("more than 256 values", |c| {
            c["groups"] = (0..250).collect();
        }),
        ("of the day before yesterday", |c| {
            c["iat"] = json!(c["iat"].as_u64().unwrap() - 2 * 24 * 60 * 60);
        }),
    ];
    for (what, change) in changes {
        let mut claims = site.provider.logout_claims(ALEX);
        change(&mut claims);
        let heard = node.notice(&RSA.sign(&claims)).await;
        assert_eq!(
            (heard.status, &*heard.error()),
            (400, "invalid_request"),
            "{what}"
        );
        assert!(browser.is(&node).await.is_some(), "{what}");
    }
}

#[tokio::test]
async fn what_providers_differ_in_is_taken() {
    let (site, node) = Site::with_node().await;
    let changes: [(&str, Change); 8] = [
        ("an audience as a list", |c| {
            c["aud"] = json!(["the site:1"])
        }),
        ("a list of many groups", |c| {
            c["groups"] = (0..200).collect();
        }),
        ("events with more in them", |c| {
            c["events"]["other"] = json!(1)
        }),
        ("an event with something in it", |c| {
            c["events"]["http://schemas.openid.net/event/backchannel-logout"] = json!({ "a": 1 });
        }),
        ("moments with a fraction", |c| {
            c["iat"] = json!(c["iat"].as_u64().unwrap() as f64 - 0.5);
        }),
        ("a sid that is null", |c| c["sid"] = json!(null)),
        ("a clock behind", |c| {
            c["exp"] = json!(c["iat"].as_u64().unwrap() - 60)
        }),
        ("a clock ahead", |c| {
            c["iat"] = json!(c["iat"].as_u64().unwrap() + 60)
        }),
    ];
    for (what, change) in changes {
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, ALEX).await;
        let mut claims = site.provider.logout_claims(ALEX);
        change(&mut claims);
        assert_eq!(node.notice(&RSA.sign(&claims)).await.status, 200, "{what}");
        assert_eq!(browser.is(&node).await, None, "{what}");
    }
}

#[tokio::test]
async fn the_type_may_be_missing_unless_it_is_asked_for() {
    let (site, node) = Site::with_node().await;
    let strict = site.provider.client().strict_logout_token_type();
    let strict = site.node_with(strict).await;
    for (kind, lenient, asked) in [
        (json!(null), 400, 400),
        (json!("JWT"), 200, 400),
        (json!("jwt"), 200, 400),
        (json!("logout+jwt"), 200, 200),
        (json!("Logout+JWT"), 200, 200),
        (json!("application/logout+jwt"), 200, 200),
        (json!("at+jwt"), 400, 400),
        (json!("secevent+jwt"), 400, 400),
        (json!(""), 400, 400),
        (json!(["logout+jwt"]), 400, 400),
    ] {
        let mut header = RSA.header();
        header["typ"] = kind.clone();
        for (node, status) in [(&node, lenient), (&strict, asked)] {
            let claims = site.provider.logout_claims(ALEX);
            let heard = node.notice(&RSA.sign_with(&header, &claims)).await;
            assert_eq!(heard.status, status, "{kind}");
        }
    }
    assert_eq!(
        node.notice(&site.provider.logout_token(ALEX)).await.status,
        200
    );
    assert_eq!(
        strict
            .notice(&site.provider.logout_token(ALEX))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn without_exp_a_token_is_good_for_two_minutes_unless_exp_is_asked_for() {
    let (site, node) = Site::with_node().await;
    let strict = site.provider.client().strict_logout_token_expiry();
    let strict = site.node_with(strict).await;
    for (exp, age, lenient, asked) in [
        (None, 0, 200, 400),
        (None, 230, 200, 400),
        (None, 250, 400, 400),
        (None, 60 * 60, 400, 400),
        (Some(json!(null)), 0, 200, 400),
        (Some(json!("99999999999")), 0, 400, 400),
        (Some(json!(1)), 0, 400, 400),
        (Some(json!(99_999_999_999_u64)), 60 * 60, 200, 200),
    ] {
        for (node, status) in [(&node, lenient), (&strict, asked)] {
            let mut claims = site.provider.logout_claims(ALEX);
            claims["iat"] = json!(claims["iat"].as_u64().unwrap() - age);
            remove(&mut claims, "exp");
            if let Some(exp) = &exp {
                claims["exp"] = exp.clone();
            }
            let heard = node.notice(&RSA.sign(&claims)).await;
            assert_eq!(heard.status, status, "{exp:?}, {age} seconds ago");
        }
    }
}

#[tokio::test]
async fn what_is_forged_ends_nothing_and_costs_the_provider_nothing() {
    let (site, node, browser) = logged_in().await;
    let claims = || site.provider.logout_claims(ALEX);
    let good = RSA.sign(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    let mut bad = vec![
        ("nothing in it".to_owned(), "..".to_owned()),
        ("no token".to_owned(), "logout".to_owned()),
        ("five parts, as a JWE".to_owned(), format!("{good}.x.y")),
        ("four parts".to_owned(), format!("{good}.x")),
        ("without its signature".to_owned(), format!("{message}.")),
        ("with padding".to_owned(), format!("{good}=")),
        ("with a line end".to_owned(), format!("{good}\n")),
        (
            "without claims".to_owned(),
            format!("{header}..{signature}"),
        ),
        (
            "without a header".to_owned(),
            format!(".{body}.{signature}"),
        ),
        ("of another key".to_owned(), {
            OTHER_RSA.sign_with(&RSA.header(), &claims())
        }),
        ("with the client secret".to_owned(), {
            mac(CLIENT_SECRET.as_bytes(), RSA.id, &claims())
        }),
        ("claims twice".to_owned(), {
            let text = claims().to_string().replacen('{', r#"{"sub":"kim","#, 1);
            RSA.sign_text(&RSA.header().to_string(), &text)
        }),
        ("a claim twice, far inside".to_owned(), {
            let event = "http://schemas.openid.net/event/backchannel-logout";
            let once = format!("\"{event}\":{{}}");
            let text = claims().to_string();
            assert!(text.contains(&once));
            let text = text.replacen(&once, &format!("{once},{once}"), 1);
            RSA.sign_text(&RSA.header().to_string(), &text)
        }),
        ("alg twice".to_owned(), {
            let header = r#"{"alg":"none","alg":"RS256","kid":"rsa-1"}"#;
            RSA.sign_text(header, &claims().to_string())
        }),
        ("claims that are a list".to_owned(), {
            RSA.sign_text(&RSA.header().to_string(), "[]")
        }),
        ("deep claims".to_owned(), {
            let deep = format!("{{\"a\":{}", "[".repeat(8_000));
            RSA.sign_text(&RSA.header().to_string(), &deep)
        }),
        ("claims that are no text".to_owned(), {
            format!("{header}._____w.{signature}")
        }),
    ];
    for alg in [
        "none", "None", "NONE", "nOnE", "", "RS384", "rs256", "HS256",
    ] {
        let header = json!({ "alg": alg, "kid": RSA.id });
        bad.push((format!("unsigned, {alg:?}"), unsigned(&header, &claims())));
        bad.push((format!("alg {alg:?}"), RSA.sign_with(&header, &claims())));
    }
    for forged in RSA.forged_as_mac(&claims()) {
        bad.push(("a MAC with the public key".to_owned(), forged));
    }
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("cty", json!("JWT")),
        ("kid", json!(1)),
        ("kid", json!(null)),
    ] {
        let mut header = RSA.header();
        header[name] = value.clone();
        let token = RSA.sign_with(&header, &claims());
        bad.push((format!("{name} {value}"), token));
    }
    // Each bit of the signature counts, and each character of the rest.
    for at in (0..good.len()).step_by(13) {
        let mut token = good.clone().into_bytes();
        token[at] = if token[at] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(token).unwrap();
        bad.push((format!("changed at {at}"), token));
        bad.push((format!("cut off at {at}"), good[..at].to_owned()));
    }
    let fetches = site.provider.script().key_fetches;
    for (what, token) in bad {
        let heard = node.notice(&token).await;
        // Only the signature is wrong: the provider may have a new key.
        let wrong = ["changed", "cut off", "of another key", "without its"];
        let may_be_new = wrong.iter().any(|start| what.starts_with(start));
        assert!(
            heard.status == 400 || may_be_new && heard.status == 503,
            "{what}: {}",
            heard.status
        );
        assert!(browser.is(&node).await.is_some(), "{what}");
    }
    assert!(site.provider.script().key_fetches <= fetches + 1);
    assert_eq!(node.notice(&good).await.status, 200, "the good one is good");
}

#[tokio::test]
async fn a_key_in_the_token_is_not_believed() {
    let (site, node, browser) = logged_in().await;
    for name in ["jwk", "jku", "x5u"] {
        let mut header = OTHER_RSA.header();
        header["kid"] = json!(RSA.id);
        header[name] = match name {
            "jwk" => OTHER_RSA.jwk(),
            _ => json!(site.provider.url("/elsewhere")),
        };
        let token = OTHER_RSA.sign_with(&header, &site.provider.logout_claims(ALEX));
        assert_eq!(node.notice(&token).await.status, 503, "{name}");
        assert!(browser.is(&node).await.is_some(), "{name}");
    }
}

#[tokio::test]
async fn an_id_token_is_no_logout_token() {
    let (site, node, browser) = logged_in().await;
    let other = Browser::new();
    other.log_in(&node, &site.provider, ALEX).await;
    let there = other.sign_out(&node).await;
    let id_token = &crate::support::query(&there)["id_token_hint"];
    assert_eq!(node.notice(id_token).await.status, 400);
    assert!(browser.is(&node).await.is_some());
}
