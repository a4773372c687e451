//! The keys of the provider: which are used, and how often they are asked for.

use std::{sync::Arc, time::Duration};

use axum_clef::{
    oidc::{Oidc, SigningAlgorithm},
    provider::{LogoutEndpoint as _, LogoutMessage},
};
use serde_json::{Value, json};

use crate::support::{ALEX, Browser, EC, ED, OTHER_RSA, RSA, SigningKey, Site};

/// Moves the clock that the pauses are measured by, and no other.
async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

fn named(key: &SigningKey, id: &str, claims: &Value) -> String {
    let mut header = key.header();
    header["kid"] = json!(id);
    key.sign_with(&header, claims)
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_fetch_in_thirty_seconds() {
    let (site, node) = Site::with_node().await;
    Browser::new().log_in(&node, &site.provider, ALEX).await;
    for round in 1..=2 {
        let before = site.provider.script().key_fetches;
        advance(31).await;
        let flood = (0..50).map(|number| {
            let claims = site.provider.logout_claims(ALEX);
            let token = named(&OTHER_RSA, &format!("{round}-{number}"), &claims);
            let node = &node;
            async move { node.notice(&token).await }
        });
        let heard = futures_util::future::join_all(flood).await;
        let refused = heard.iter().filter(|heard| heard.status == 400).count();
        let told = heard.iter().filter(|heard| heard.status == 503).count();
        // The one for whom the provider was asked hears its word.
        assert_eq!((refused, told), (1, 49));
        assert_eq!(site.provider.script().key_fetches, before + 1);
        for number in 0..5 {
            let claims = site.provider.logout_claims(ALEX);
            let token = named(&OTHER_RSA, &format!("{round}-later-{number}"), &claims);
            assert_eq!(node.notice(&token).await.status, 503);
        }
        assert_eq!(site.provider.script().key_fetches, before + 1);
        let good = site.provider.logout_token(ALEX);
        assert_eq!(node.notice(&good).await.status, 200, "known keys go on");
    }
}

/// The signature is verified last: no key is looked for while anything else is wrong.
#[tokio::test]
async fn a_token_that_could_not_be_good_costs_no_call() {
    let (site, node) = Site::with_node().await;
    let fetches = || {
        let script = site.provider.script();
        (script.metadata_fetches, script.key_fetches)
    };
    let forged = |in_header: bool, name: &str, value: &Value| {
        let mut header = OTHER_RSA.header();
        let mut claims = site.provider.logout_claims(ALEX);
        let part = if in_header { &mut header } else { &mut claims };
        part[name] = value.clone();
        OTHER_RSA.sign_with(&header, &claims)
    };
    for (in_header, name, value) in [
        (true, "alg", json!("ES256")),
        (true, "typ", json!("at+jwt")),
        (true, "crit", json!([])),
        (true, "kid", json!(1)),
        (false, "iss", json!("https://elsewhere.test")),
        (false, "aud", json!("another site")),
        (false, "exp", json!(1)),
        (false, "iat", json!(1)),
        (false, "nonce", json!("x")),
        (false, "events", json!({})),
        (false, "jti", json!("")),
        (false, "sub", json!("")),
    ] {
        let token = forged(in_header, name, &value);
        assert_eq!(node.notice(&token).await.status, 400, "{name}");
        assert_eq!(fetches(), (0, 0), "{name}");
    }
    let token = forged(false, "more", &json!(1));
    assert_eq!(node.notice(&token).await.status, 400);
    assert_eq!(fetches(), (1, 1));
}

/// Whether a refused token was signed matters to the log alone, so a flood of them costs no
/// signatures.
#[tokio::test]
async fn a_signature_is_verified_once_a_second_for_refused_tokens() {
    let site = Site::start().await;
    let client = Oidc::discover(&*site.provider.issuer, "the site:1", "secret").await;
    let endpoint = client.unwrap().back_channel_logout();
    let url = Site::ADDRESS.parse().unwrap();
    let mut claims = site.provider.logout_claims(ALEX);
    claims["aud"] = json!("another site");
    let is_signed = async |key: &SigningKey| {
        let token = named(key, key.id, &claims);
        let error = endpoint.verify(&LogoutMessage::new(token), &url).await;
        error.unwrap_err().is_signed()
    };
    assert!(is_signed(&RSA).await);
    for _ in 0..3 {
        assert!(!is_signed(&RSA).await);
    }
    advance(1).await;
    // One of a key that the provider does not have needs no verification.
    assert!(!is_signed(&OTHER_RSA).await);
    assert!(is_signed(&RSA).await);
}

#[tokio::test]
async fn a_new_key_is_found_and_none_is_lost_that_comes_too_soon() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    site.provider.change(|script| {
        script.keys = json!([RSA.jwk(), OTHER_RSA.jwk()]);
        script.signs_with = &OTHER_RSA;
    });
    // The keys were asked for a moment ago: no word yet whether this one is good.
    let token = site.provider.logout_token(ALEX);
    let heard = node.notice(&token).await;
    assert_eq!(heard.status, 503);
    assert!(heard.headers.contains_key("retry-after"));
    assert!(browser.is(&node).await.is_some());
    advance(30).await;
    assert_eq!(node.notice(&token).await.status, 200);
    assert_eq!(browser.is(&node).await, None);
    browser.log_in(&node, &site.provider, ALEX).await;
    assert_eq!(site.provider.script().key_fetches, 2);
}

#[tokio::test]
async fn a_key_that_is_replaced_under_its_id_is_found_and_no_logout_is_lost() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    let mut replaced = OTHER_RSA.jwk();
    replaced["kid"] = json!(RSA.id);
    site.provider.change(|script| {
        script.keys = json!([replaced]);
        script.signs_with = &OTHER_RSA;
        script.id_token_header = json!({ "kid": RSA.id });
    });
    let token = named(&OTHER_RSA, RSA.id, &site.provider.logout_claims(ALEX));
    let heard = node.notice(&token).await;
    assert_eq!(heard.status, 503);
    assert!(heard.headers.contains_key("retry-after"));
    assert_eq!(site.provider.script().key_fetches, 1);
    advance(30).await;
    assert_eq!(node.notice(&token).await.status, 200);
    assert_eq!(browser.is(&node).await, None);
    browser.log_in(&node, &site.provider, ALEX).await;
    assert_eq!(site.provider.script().key_fetches, 2);
}

/// The provider itself answers with the ID token, so its new key needs no pause.
#[tokio::test]
async fn a_login_finds_a_new_key_at_once_and_notices_use_it() {
    for id in [OTHER_RSA.id, RSA.id] {
        let (site, node, browser) = Site::logged_in(ALEX).await;
        let mut new = OTHER_RSA.jwk();
        new["kid"] = json!(id);
        site.provider.change(|script| {
            script.keys = json!([new]);
            script.signs_with = &OTHER_RSA;
            script.id_token_header = json!({ "kid": id });
        });
        let token = named(&OTHER_RSA, id, &site.provider.logout_claims(ALEX));
        assert_eq!(node.notice(&token).await.status, 503);
        Browser::new().log_in(&node, &site.provider, ALEX).await;
        assert_eq!(site.provider.script().key_fetches, 2);
        assert_eq!(node.notice(&token).await.status, 200);
        assert_eq!(browser.is(&node).await, None);
        // While the keys cannot be fetched, the pause holds for logins too.
        site.provider.change(|script| {
            script.keys_down = true;
            script.signs_with = &RSA;
            script.id_token_header = json!({ "kid": "unknown" });
        });
        for _ in 0..3 {
            let response = Browser::new().enter(&node, &site.provider, ALEX).await;
            assert_eq!(response.status(), 502, "not the user's error");
        }
        assert_eq!(site.provider.script().key_fetches, 3);
    }
}

#[tokio::test]
async fn a_flood_of_forged_signatures_is_one_fetch_in_thirty_seconds() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    for round in 1..=2 {
        let before = site.provider.script().key_fetches;
        advance(31).await;
        let flood = (0..50).map(|_| {
            let token = named(&OTHER_RSA, RSA.id, &site.provider.logout_claims(ALEX));
            let node = &node;
            async move { node.notice(&token).await.status }
        });
        let heard = futures_util::future::join_all(flood).await;
        let refused = heard.iter().filter(|status| **status == 400).count();
        let told = heard.iter().filter(|status| **status == 503).count();
        assert_eq!((refused, told), (1, 49), "{round}");
        assert_eq!(site.provider.script().key_fetches, before + 1);
        assert!(browser.is(&node).await.is_some());
    }
    let good = site.provider.logout_token(ALEX);
    assert_eq!(node.notice(&good).await.status, 200, "known keys go on");
}

/// Without a list of algorithms in the metadata, the keys say which there are.
#[tokio::test]
async fn keys_of_another_algorithm_refuse_logins_for_an_hour_at_most() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    let good = site.provider.script().keys.clone();
    advance(31).await;
    site.provider.script().keys = json!([EC.jwk()]);
    let token = named(&OTHER_RSA, "new", &site.provider.logout_claims(ALEX));
    assert_eq!(node.notice(&token).await.status, 400, "this fetches them");
    site.provider.script().keys = good;
    let response = browser.get(&node, "/clef/login").await;
    assert_eq!(response.status(), 500);
    advance(60 * 60).await;
    browser.log_in(&node, &site.provider, ALEX).await;
}

#[tokio::test]
async fn names_that_mean_the_same_are_taken() {
    for name in ["EdDSA", "Ed25519"] {
        let site = Site::start().await;
        let mut jwk = ED.jwk();
        jwk["alg"] = json!(name);
        site.provider.change(|script| {
            script.keys = json!([jwk]);
            script.signs_with = &ED;
            script.id_token_header = json!({ "alg": name });
            script.id_token = Arc::new(|claims| claims["at_hash"] = json!(null));
            script.metadata = json!({ "id_token_signing_alg_values_supported": [name] });
        });
        let client = site.provider.client();
        let client = client.signing_algorithm(SigningAlgorithm::EdDsa);
        let node = site.node_with(client).await;
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, ALEX).await;
        let mut header = ED.header();
        header["alg"] = json!(name);
        let token = ED.sign_with(&header, &site.provider.logout_claims(ALEX));
        assert_eq!(node.notice(&token).await.status, 200, "{name}");
        assert_eq!(browser.is(&node).await, None, "{name}");
    }
    let padded = |key: &SigningKey, name: &str| {
        let mut jwk = key.jwk();
        jwk[name] = json!(format!("{}=", jwk[name].as_str().unwrap()));
        jwk
    };
    let with = |key: &SigningKey, name: &str, value: Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        jwk
    };
    for (key, algorithm, jwk) in [
        (&*RSA, SigningAlgorithm::Rs256, padded(&RSA, "e")),
        (&*RSA, SigningAlgorithm::Rs256, padded(&RSA, "n")),
        (
            &*RSA,
            SigningAlgorithm::Rs256,
            with(&RSA, "e", json!("AAEAAQ")),
        ),
        (
            &*RSA,
            SigningAlgorithm::Rs256,
            with(&RSA, "use", json!("SIG")),
        ),
        (
            &*RSA,
            SigningAlgorithm::Rs256,
            with(&RSA, "key_ops", json!([])),
        ),
        (
            &*RSA,
            SigningAlgorithm::Rs256,
            with(&RSA, "x5c", json!("none")),
        ),
        (&*EC, SigningAlgorithm::Es256, padded(&EC, "x")),
        (&*ED, SigningAlgorithm::EdDsa, padded(&ED, "x")),
    ] {
        let site = Site::start().await;
        site.provider.script().keys = json!([jwk]);
        let client = site.provider.client().signing_algorithm(algorithm);
        let node = site.node_with(client).await;
        let token = key.sign(&site.provider.logout_claims(ALEX));
        assert_eq!(node.notice(&token).await.status, 200, "{jwk}");
    }
}

#[tokio::test]
async fn an_outage_of_the_keys_drops_no_logout() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    let fresh = site.node().await;
    site.provider.script().keys_down = true;
    let token = site.provider.logout_token(ALEX);
    assert_eq!(fresh.notice(&token).await.status, 503);
    assert!(browser.is(&node).await.is_some());
    site.provider.script().keys_down = false;
    advance(30).await;
    assert_eq!(fresh.notice(&token).await.status, 200);
    assert_eq!(browser.is(&node).await, None);
}

#[tokio::test]
async fn a_key_that_the_provider_has_withdrawn_is_forgotten() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    site.provider.change(|script| {
        script.keys = json!([OTHER_RSA.jwk()]);
        script.signs_with = &OTHER_RSA;
    });
    advance(60 * 60).await;
    let forged = RSA.sign(&site.provider.logout_claims(ALEX));
    // The first one after an hour makes the node ask, by the way.
    let asked = async {
        while site.provider.script().key_fetches < 2 {
            node.notice(&forged).await;
        }
    };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, asked).await.unwrap();
    browser.log_in(&node, &site.provider, ALEX).await;
    let forged = RSA.sign(&site.provider.logout_claims(ALEX));
    assert_ne!(node.notice(&forged).await.status, 200);
    assert!(browser.is(&node).await.is_some());
}

#[tokio::test]
async fn a_key_is_used_for_what_it_is_for() {
    let changed = |name: &str, value: Value| {
        let mut key = RSA.jwk();
        key[name] = value;
        key
    };
    let mut nameless = RSA.jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    for (what, keys, good) in [
        (
            "for encryption",
            json!([changed("use", json!("enc"))]),
            false,
        ),
        (
            "for another algorithm",
            json!([changed("alg", json!("RS512"))]),
            false,
        ),
        (
            "for an unknown algorithm",
            json!([changed("alg", json!("XX"))]),
            false,
        ),
        (
            "for signing only",
            json!([changed("key_ops", json!(["sign"]))]),
            false,
        ),
        (
            "by another name",
            json!([changed("kid", json!("RSA-1"))]),
            false,
        ),
        ("without a name", json!([nameless]), false),
        ("broken", json!([changed("n", json!("!"))]), false),
        ("short", json!([changed("n", json!("AQAB"))]), false),
        ("of another kind", json!([EC.jwk()]), false),
        ("none", json!([]), false),
        (
            "not told what for",
            json!([changed("use", json!(null))]),
            true,
        ),
        (
            "among what nobody understands",
            json!([1, {}, { "kty": "XX" }, { "kty": "EC", "crv": "secp256k1" }, RSA.jwk()]),
            true,
        ),
        (
            "of that name twice",
            json!([{ "kty": "RSA", "kid": RSA.id, "n": OTHER_RSA.jwk()["n"], "e": "AQAB" }, RSA.jwk()]),
            true,
        ),
    ] {
        let site = Site::start().await;
        site.provider.script().keys = keys;
        let node = site.node().await;
        let response = Browser::new().enter(&node, &site.provider, ALEX).await;
        assert_eq!(response.status() == 303, good, "{what}");
    }
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_with_all_that_fit() {
    let site = Site::start().await;
    site.provider.script().keys = json!([EC.jwk(), OTHER_RSA.jwk(), RSA.jwk()]);
    let node = site.node().await;
    let header = json!({ "alg": "RS256" });
    let token = RSA.sign_with(&header, &site.provider.logout_claims(ALEX));
    assert_eq!(node.notice(&token).await.status, 200);
    site.provider.change(|script| {
        script.keys = json!([OTHER_RSA.jwk()]);
    });
    let fresh = site.node().await;
    let token = RSA.sign_with(&header, &site.provider.logout_claims(ALEX));
    assert_ne!(fresh.notice(&token).await.status, 200);
}
