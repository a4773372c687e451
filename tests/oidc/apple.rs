//! Sign in with Apple: the callback as a form, the name that comes once, and the client secret.

use std::{convert::Infallible, sync::Arc, time::Duration};

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use axum::{Router, body::Body, http::Request};
use axum_clef::{
    ClefLayer,
    oidc::{AppleKey, Oidc, OidcError},
    stores::MemoryUserStore,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use reqwest::{Client, Method, Response, header::CONTENT_TYPE, redirect::Policy};
use serde_json::json;
use tower::ServiceExt as _;
use tower_sessions::MemoryStore;

use crate::support::{
    ALEX, Browser, CLIENT_ID, EC, KEY_ID, Node, OpenIdProvider, Site, TEAM_ID, location, log, query,
};

const USER: &str =
    r#"{"name":{"firstName":"Alexandra","lastName":"Pask"},"email":"forged@example.com"}"#;

fn apple(provider: &OpenIdProvider) -> Oidc {
    let key = AppleKey::new(TEAM_ID, KEY_ID, EC.pem()).unwrap();
    Oidc::new(&*provider.issuer, CLIENT_ID, "not used")
        .unwrap()
        .form_post()
        .apple_key(key)
        .scopes(["name", "email"])
}

/// A provider that answers as Apple does, and a site with a node.
async fn site() -> (Site, Node) {
    let site = Site::start().await;
    site.provider.change(|script| {
        script.client_key = Some(&EC);
        script.metadata = json!({
            "userinfo_endpoint": null,
            "end_session_endpoint": null,
            "authorization_response_iss_parameter_supported": null,
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
        script.id_token = Arc::new(|claims| {
            let claims = claims.as_object_mut().unwrap();
            claims.retain(|name, _| !["given_name", "sid"].contains(&&**name));
            claims.insert("email_verified".to_owned(), "true".into());
            claims.insert("is_private_email".to_owned(), "true".into());
        });
    });
    let node = site.node_with(apple(&site.provider)).await;
    (site, node)
}

/// Begins a login and approves it: the code and the state.
async fn approved(site: &Site, node: &Node, browser: &Browser) -> (String, String) {
    let url = browser.begin(node).await;
    let code = site.provider.approve(&url, ALEX);
    (code, query(&url)["state"].clone())
}

/// A login with this `user` in the form.
async fn enter(site: &Site, node: &Node, browser: &Browser, user: Option<&str>) -> Response {
    let (code, state) = approved(site, node, browser).await;
    let mut fields = vec![("state", state.as_str()), ("code", &code)];
    fields.extend(user.map(|user| ("user", user)));
    let response = browser.come_back_by_form(node, &fields).await;
    browser.follow(node, response).await
}

#[tokio::test]
async fn a_form_logs_in_and_brings_the_name() {
    let (site, node) = site().await;
    let browser = Browser::new();
    log::listen();
    let url = browser.begin(&node).await;
    assert_eq!(query(&url)["response_mode"], "form_post");
    assert_eq!(query(&url)["scope"], "openid name email");
    let code = site.provider.approve(&url, ALEX);
    let state = query(&url)["state"].clone();
    let fields = [
        ("state", state.as_str()),
        ("code", &code),
        ("id_token", "SECRET-TOKEN"),
        ("user", USER),
    ];
    let response = browser.come_back_by_form(&node, &fields).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let redirect = location(&response);
    assert!(redirect.starts_with("/clef/callback?"), "{redirect}");
    let passed_on = query(&node.url(&redirect));
    assert_eq!(passed_on.len(), 2, "{redirect}");
    assert_eq!((&passed_on["code"], &passed_on["state"]), (&code, &state));
    assert!(browser.cookies(&node).contains("-form-user="));

    let response = browser.follow(&node, response).await;
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/account");
    assert_eq!(browser.is(&node).await.as_deref(), Some(ALEX.subject));
    assert!(!browser.cookies(&node).contains("-form-user="));
    let profile = site.users.last_profile();
    assert_eq!(profile.first_name.as_deref(), Some("Alexandra"));
    assert_eq!(profile.last_name.as_deref(), Some("Pask"));
    assert_eq!(profile.email.as_deref(), Some("alex@example.com"));
    assert_eq!(profile.email_verified, Some(true));
    assert_eq!(profile.claims()["is_private_email"], "true");
    assert!(!profile.claims().contains_key("user"));

    // The name comes once.
    let response = enter(&site, &node, &browser, None).await;
    assert_eq!(location(&response), "/account");
    assert_eq!(site.users.last_profile().name(), None);
    let text = test_support::log::text();
    for secret in ["Alexandra", "Pask", "forged@", "SECRET", &*code, &*state] {
        // What the test's own client traces of the URL is not ours.
        let mut ours = text.lines().filter(|line| line.contains(" axum_clef"));
        assert_eq!(ours.find(|line| line.contains(secret)), None, "{secret}");
    }
}

#[tokio::test]
async fn a_name_counts_for_the_login_it_came_with() {
    let (site, node) = site().await;
    let browser = Browser::new();
    // Two tabs. The second form replaces what the first has brought.
    let (code, state) = approved(&site, &node, &browser).await;
    let (other_code, other_state) = approved(&site, &node, &browser).await;
    let fields = [("state", &*state), ("code", &*code), ("user", USER)];
    let first = browser.come_back_by_form(&node, &fields).await;
    let user = USER.replace("Alexandra", "Kim");
    let fields = [
        ("state", &*other_state),
        ("code", &other_code),
        ("user", &user),
    ];
    let second = browser.come_back_by_form(&node, &fields).await;
    assert_eq!(browser.follow(&node, first).await.status(), 303);
    assert_eq!(site.users.last_profile().name(), None);
    assert_eq!(browser.follow(&node, second).await.status(), 303);
    let name = site.users.last_profile().first_name;
    assert_eq!(name.as_deref(), Some("Kim"));

    // A page of another site posts a form in this browser.
    let (code, state) = approved(&site, &node, &browser).await;
    let forged = [("state", "x"), ("code", "x"), ("user", USER)];
    let response = browser.come_back_by_form(&node, &forged).await;
    assert_eq!(browser.follow(&node, response).await.status(), 403);
    let parameters = [("code", code.as_str()), ("state", &state)];
    let response = browser.come_back(&node, &parameters).await;
    assert_eq!(response.status(), 303);
    assert_eq!(site.users.last_profile().name(), None);
}

/// The field is Apple's, and any page can send it.
#[tokio::test]
async fn a_form_of_another_provider_brings_no_name() {
    let (site, _) = site().await;
    site.provider.change(|script| script.client_key = None);
    let node = site.node_with(site.provider.client().form_post()).await;
    let response = enter(&site, &node, &Browser::new(), Some(USER)).await;
    assert_eq!(response.status(), 303);
    assert_eq!(site.users.last_profile().name(), None);
}

#[tokio::test]
async fn a_form_that_comes_again_exchanges_nothing_again() {
    let (site, node) = site().await;
    let browser = Browser::new();
    let (code, state) = approved(&site, &node, &browser).await;
    let fields = [("state", state.as_str()), ("code", &code), ("user", USER)];
    for _ in 0..2 {
        let response = browser.come_back_by_form(&node, &fields).await;
        let response = browser.follow(&node, response).await;
        assert_eq!(location(&response), "/account");
    }
    // Nor in another browser.
    let thief = Browser::new();
    let response = thief.come_back_by_form(&node, &fields).await;
    assert_eq!(thief.follow(&node, response).await.status(), 403);
    assert_eq!(thief.is(&node).await, None);
    assert_eq!(site.provider.script().token_requests.len(), 1);
}

#[tokio::test]
async fn a_user_that_is_malformed_is_no_name_and_no_obstacle() {
    let (site, node) = site().await;
    let nested = "[".repeat(1_000);
    let long = USER.replace("Pask", &"x".repeat(1_024));
    let twice = r#"{"name":{"firstName":"A","firstName":"B"}}"#;
    for user in [
        "",
        "Alexandra",
        "null",
        "{}",
        "\0",
        r#"{"name":"Alexandra"}"#,
        r#"{"name":{"firstName":["Alexandra"]}}"#,
        r#"{"name":{"firstName":" ","lastName":""}}"#,
        r#"{"name":{"given_name":"Alexandra"}}"#,
        twice,
        &nested,
        &long,
    ] {
        let browser = Browser::new();
        let response = enter(&site, &node, &browser, Some(user)).await;
        assert_eq!(response.status(), 303, "{user}");
        assert_eq!(site.users.last_profile().name(), None, "{user}");
    }
    for (user, name) in [
        (r#"{"name":{"firstName":"Jo"}}"#, "Jo"),
        (
            r#"{"name":{"lastName":"<b>\u00e9; a=b"},"x":1}"#,
            "<b>é; a=b",
        ),
    ] {
        let response = enter(&site, &node, &Browser::new(), Some(user)).await;
        assert_eq!(response.status(), 303);
        assert_eq!(site.users.last_profile().name().as_deref(), Some(name));
    }
    // A cookie that someone has made up.
    let browser = Browser::new();
    let (code, state) = approved(&site, &node, &browser).await;
    for value in ["x", ".", "x.x", "\u{e9}.\u{e9}"] {
        browser.set_cookie(&node, &format!("auth-9-form-user={value}; Path=/"));
    }
    let parameters = [("code", code.as_str()), ("state", &state)];
    let response = browser.come_back(&node, &parameters).await;
    assert_eq!(response.status(), 303);
    // A signed name is better.
    site.provider.script().id_token = Arc::new(|claims| claims["given_name"] = "Lex".into());
    let response = enter(&site, &node, &Browser::new(), Some(USER)).await;
    assert_eq!(response.status(), 303);
    assert_eq!(site.users.last_profile().name().as_deref(), Some("Lex"));
}

#[tokio::test]
async fn what_is_no_form_of_the_provider_is_refused() {
    let (site, node) = site().await;
    let browser = Browser::new();
    let (code, state) = approved(&site, &node, &browser).await;
    let good = [("code", code.as_str()), ("state", &state)];
    // Refused at once.
    let client = Client::builder().no_proxy().build().unwrap();
    let url = node.url("/clef/callback");
    let form = format!("code={code}&state={state}");
    for kind in [
        "application/json",
        "text/plain",
        "multipart/form-data",
        "",
        "x",
    ] {
        let request = client.post(&url).header(CONTENT_TYPE, kind);
        let response = request.body(form.clone()).send().await.unwrap();
        assert_eq!(response.status(), 400, "{kind}");
    }
    let response = client.post(&url).body(form.clone()).send().await.unwrap();
    assert_eq!(response.status(), 400, "no content type");
    for (field, length) in [("iss", 9 * 1024), ("x", 17 * 1024), ("x", 1024 * 1024)] {
        let more = "x".repeat(length);
        let fields = [good[0], good[1], (field, more.as_str())];
        let response = browser.come_back_by_form(&node, &fields).await;
        assert_eq!(response.status(), 400, "{length}");
    }
    for (method, allow) in [(Method::HEAD, "GET, POST"), (Method::PUT, "GET,HEAD,POST")] {
        let response = client.request(method.clone(), &url).send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], allow, "{method}");
    }
    // Refused where the redirect leads.
    for (fields, status) in [
        (vec![], 403),
        (vec![good[0]], 403),
        (vec![good[0], ("state", "x")], 403),
        (vec![good[1]], 400),
        (vec![good[0], good[0], good[1]], 400),
        (vec![good[0], good[1], good[1]], 400),
        (vec![good[1], ("error", "user_cancelled_authorize")], 403),
    ] {
        let browser = Browser::new();
        let (code, state) = approved(&site, &node, &browser).await;
        let fields = fields.iter().map(|field| match *field {
            ("code", _) => ("code", code.as_str()),
            ("state", value) if value != "x" => ("state", state.as_str()),
            field => field,
        });
        let fields: Vec<_> = fields.collect();
        let response = browser.come_back_by_form(&node, &fields).await;
        let response = browser.follow(&node, response).await;
        assert_eq!(response.status(), status, "{fields:?}");
        assert_eq!(browser.is(&node).await, None);
    }
    assert_eq!(site.provider.script().token_requests.len(), 0);
    let response = browser.come_back_by_form(&node, &good).await;
    assert_eq!(browser.follow(&node, response).await.status(), 303);
}

/// A letter a second, without end.
#[tokio::test(start_paused = true)]
async fn a_form_that_drips_is_refused_after_ten_seconds() {
    let provider = Oidc::new("http://127.0.0.1:1", CLIENT_ID, "secret").unwrap();
    let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    let layer = ClefLayer::builder("https://site.example", users, sessions);
    let layer = layer.provider(provider.form_post()).build().unwrap();
    let app = Router::new().merge(layer.routes()).layer(layer);
    for path in ["/clef/callback", "/clef/login"] {
        let drips = futures_util::stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>("l")
        });
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from_stream(drips));
        let begun_at = tokio::time::Instant::now();
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
        assert_eq!(begun_at.elapsed(), Duration::from_secs(10), "{path}");
    }
}

#[tokio::test]
async fn a_provider_without_forms_takes_none() {
    let (site, node) = Site::with_node().await;
    let browser = Browser::new();
    let (code, state) = approved(&site, &node, &browser).await;
    let fields = [("code", code.as_str()), ("state", &state), ("user", USER)];
    let response = browser.come_back_by_form(&node, &fields).await;
    assert_eq!(response.status(), 405);
    assert_eq!(browser.cookies(&node).matches("form-user").count(), 0);
    assert!(!query(&browser.begin(&node).await).contains_key("response_mode"));
}

#[tokio::test]
async fn each_exchange_has_a_client_secret_of_its_own() {
    let (site, node) = site().await;
    let mut secrets = Vec::new();
    for _ in 0..2 {
        let response = enter(&site, &node, &Browser::new(), None).await;
        assert_eq!(response.status(), 303);
        let script = site.provider.script();
        let (authorization, form) = script.token_requests.last().unwrap();
        assert_eq!(*authorization, None);
        secrets.push(form["client_secret"].clone());
    }
    assert_ne!(secrets[0], secrets[1]);
    // Apple knows another key by this id.
    let key = AppleKey::new("ANOTHER123", KEY_ID, EC.pem()).unwrap();
    let node = site.node_with(apple(&site.provider).apple_key(key)).await;
    let response = enter(&site, &node, &Browser::new(), None).await;
    assert_eq!(response.status(), 500);
}

#[test]
fn a_key_that_cannot_sign_is_an_error_at_once() {
    let pem = EC.pem();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384 = STANDARD.encode(p384.to_pkcs8v1().unwrap().as_ref());
    let body = pem.lines().nth(1).unwrap().to_owned();
    for wrong in [
        String::new(),
        "the path of the file".to_owned(),
        body,
        pem[..pem.len() / 2].to_owned(),
        pem.replace("PRIVATE KEY", "PUBLIC KEY"),
        pem.replace("PRIVATE KEY", "EC PRIVATE KEY"),
        pem.replace("M", "N"),
        format!("-----BEGIN PRIVATE KEY-----\n{p384}\n-----END PRIVATE KEY-----\n"),
    ] {
        let error = AppleKey::new(TEAM_ID, KEY_ID, wrong.clone()).unwrap_err();
        assert!(matches!(error, OidcError::PrivateKey), "{wrong}");
        assert!(error.to_string().contains(".p8"), "{error}");
    }
    for good in [format!("\n  {pem}\n"), pem.replace('\n', "\r\n"), pem] {
        assert!(AppleKey::new(TEAM_ID, KEY_ID, good).is_ok());
    }
}

#[tokio::test]
async fn the_form_leads_back_below_the_base_path() {
    let (site, _) = site().await;
    for is_stripped in [false, true] {
        let address = format!("{}/app", Site::ADDRESS);
        let layer = ClefLayer::builder(address, MemoryUserStore::new(), MemoryStore::default());
        let layer = layer.provider(apple(&site.provider));
        let layer = if is_stripped {
            layer.base_path_stripped()
        } else {
            layer
        };
        let layer = layer.build().unwrap();
        let routes: Router = layer.routes();
        let app = match is_stripped {
            true => routes.layer(layer.clone()),
            false => Router::new().nest("/app", routes.layer(layer.clone())),
        };
        let node = Node::serve(app, layer).await;
        let path = if is_stripped { "" } else { "/app" };
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let form = client.post(node.url(&format!("{path}/clef/callback")));
        let form = form.form(&[("code", "a b&c"), ("state", "x")]);
        let response = form.send().await.unwrap();
        assert_eq!(response.status(), 303);
        let redirect = location(&response);
        assert_eq!(redirect, "/app/clef/callback?code=a+b%26c&state=x");
    }
}
