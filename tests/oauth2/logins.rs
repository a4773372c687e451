//! Logins, from the authorization request to the logout.

use axum::http::header;
use axum_clef::{
    ClefLayer, Paths, User as _, UserStore as _,
    oauth2::ClientAuthentication,
    provider::{Authentication, CodeExchange, LoginSecret, Provider as _},
};
use serde_json::{Value, json};
use test_support::{Jar, World, location, notice, text};
use url::Url;

use crate::{
    provider::{ACCESS_TOKEN, CLIENT_ID, TestProvider},
    site::Site,
};

#[tokio::test]
async fn a_user_logs_in_and_is_found_by_the_id_that_never_changes() {
    let site = Site::with(|client| {
        let client = client.scopes(["read:user", "user:email"]);
        client
            .authorization_parameter("allow_signup", "false")
            .unwrap()
    })
    .await;
    let mut jar = Jar::default();
    let response = jar.get(&site.app, "/clef/login?next=/account").await;
    let (code, query) = site.provider.approve(location(&response));
    assert_eq!(query["scope"], "read:user user:email");
    assert_eq!(query["allow_signup"], "false");
    assert_eq!(
        query["redirect_uri"],
        format!("{}/clef/callback", World::SITE)
    );
    let callback = format!("/clef/callback?code={code}&state={}", query["state"]);
    let response = jar.get(&site.app, &callback).await;
    assert_eq!(
        (response.status().as_u16(), location(&response)),
        (303, "/account")
    );
    assert_eq!(jar.user(&site.app).await.as_deref(), Some("583231"));

    let profile = site.world.users.last_profile();
    assert_eq!(profile.subject.issuer(), site.provider.issuer);
    assert_eq!(profile.name().as_deref(), Some("Alex"));
    assert_eq!(profile.email.as_deref(), Some("alex@example.com"));
    assert_eq!(profile.claims()["login"], "alex");
    for headers in &site.provider.script().api_requests {
        assert_eq!(
            headers[header::AUTHORIZATION],
            format!("Bearer {ACCESS_TOKEN}")
        );
        assert!(
            headers.contains_key(header::USER_AGENT),
            "GitHub requires one"
        );
    }

    // Another name is the same user, and the same name is another one.
    let user = text(jar.get(&site.app, "/").await).await;
    let document = |id: Value, login: &str| (200, json!({ "id": id, "login": login }).to_string());
    for (id, login, is_same) in [
        (json!(583_231), "renamed", true),
        (json!("583231"), "text", true),
        (json!(999), "alex", false),
        (json!("alex-1"), "alex", false),
    ] {
        site.provider.change(|script| {
            script.documents.insert("user", document(id, login));
        });
        let mut jar = Jar::default();
        assert_eq!(site.log_in(&mut jar).await.status(), 303);
        let found = text(jar.get(&site.app, "/").await).await;
        assert_eq!(found == user, is_same, "{login}");
    }
}

#[tokio::test]
async fn the_site_authenticates_in_either_way() {
    for way in [ClientAuthentication::Basic, ClientAuthentication::Post] {
        let site = Site::with(|client| client.client_authentication(way)).await;
        assert_eq!(
            site.log_in(&mut Jar::default()).await.status(),
            303,
            "{way:?}"
        );
        let script = site.provider.script();
        let [(headers, form)] = &*script.token_requests else {
            panic!("one request");
        };
        let is_basic = way == ClientAuthentication::Basic;
        assert_eq!(headers.contains_key(header::AUTHORIZATION), is_basic);
        assert_eq!(form.contains_key("client_id"), !is_basic);
    }
}

/// Without a wire for logouts, the site itself ends logins.
#[tokio::test]
async fn logins_end_here_and_no_notice_is_taken() {
    let site = Site::start().await;
    let mut jar = Jar::default();
    site.log_in(&mut jar).await;
    let mut copy = jar.clone();
    for token in ["token:583231", "583231", ""] {
        assert_eq!(notice(&site.app, token).await, 404, "{token}");
    }
    assert!(jar.is_in(&site.app).await);
    let response = jar.sign_out(&site.app).await;
    assert_eq!(location(&response), "/", "it ends at this site");
    assert!(!copy.is_in(&site.app).await);

    site.log_in(&mut jar).await;
    let mut other = Jar::default();
    site.log_in(&mut other).await;
    let user = site.world.users.inner.load("1").await.unwrap().unwrap();
    assert!(site.world.users.log_out(&user.id()).await.unwrap());
    assert!(!jar.is_in(&site.app).await && !other.is_in(&site.app).await);
    site.log_in(&mut jar).await;
    assert!(jar.is_in(&site.app).await, "a new login works");
}

/// The provider may have asked for nothing.
#[tokio::test]
async fn no_login_says_when_the_credentials_were_proven() {
    let provider = TestProvider::start().await;
    let secret = LoginSecret::from_bytes([7; 32]);
    let url = Url::parse("https://site.example/clef/callback").unwrap();
    let state = axum_clef::provider::OneTimeState::new("s".repeat(43));
    let login = axum_clef::provider::LoginRequest::new(&url, &state, &secret);
    let client = provider.client();
    let login_url = client.login_url(&login).await.unwrap();
    let (code, _) = provider.approve(login_url.as_str());
    let code = code.into();
    let exchange = CodeExchange::new(&code, &url, &url, &secret);
    let login = client.exchange(&exchange).await.unwrap();
    assert_eq!(login.authentication, Authentication::Unknown);
    assert!(login.session.is_none() && login.sign_out_hint.is_none());

    // So no login is recent, not even one that was begun for it.
    let site = Site::start().await;
    let mut jar = Jar::default();
    site.log_in(&mut jar).await;
    assert_eq!(jar.status(&site.app, "/recent").await, 401);
    let response = jar.get(&site.app, "/clef/login?max_age=600&next=/recent");
    let response = response.await;
    let (code, query) = site.provider.approve(location(&response));
    let callback = format!("/clef/callback?code={code}&state={}", query["state"]);
    assert_eq!(jar.status(&site.app, &callback).await, 403);
    assert_eq!(jar.status(&site.app, "/recent").await, 401);
}

/// RFC 9207, section 2.4: the error may be of any provider.
#[tokio::test]
async fn an_error_of_another_provider_is_refused() {
    for (required, issuer, status) in [
        (false, "", 500),
        (true, "", 502),
        (false, "own", 500),
        (true, "own", 500),
        (false, "https://evil.example", 502),
        (true, "https://evil.example", 502),
    ] {
        let site = Site::with(|client| match required {
            true => client.require_issuer_parameter(),
            false => client,
        })
        .await;
        let mut jar = Jar::default();
        let callback = site.begin(&mut jar).await;
        let (_, state) = callback.split_once("&state=").unwrap();
        let mut error = format!("/clef/callback?error=invalid_scope&state={state}");
        error += &match issuer {
            "" => String::new(),
            "own" => format!("&iss={}", site.provider.issuer),
            other => format!("&iss={other}"),
        };
        let response = jar.get(&site.app, &error).await;
        assert_eq!(response.status(), status, "{required} {issuer}");
        assert_eq!(jar.status(&site.app, &callback).await, 403, "it is used");
        assert!(site.provider.script().token_requests.is_empty());
    }
}

/// GitHub's callbacks have an `iss` that is not the issuer of its users.
#[tokio::test]
async fn the_callbacks_may_have_another_issuer_than_the_users() {
    const CALLBACK_ISSUER: &str = "https://id.example/login/oauth";

    for (required, issuer, begun, denied) in [
        (false, "", 303, 403),
        (true, "", 502, 502),
        (false, CALLBACK_ISSUER, 303, 403),
        (true, CALLBACK_ISSUER, 303, 403),
        (false, "of the users", 502, 502),
        (false, "https://evil.example", 502, 502),
    ] {
        let site = Site::with(|client| {
            let client = client.callback_issuer(CALLBACK_ISSUER).unwrap();
            match required {
                true => client.require_issuer_parameter(),
                false => client,
            }
        })
        .await;
        let parameter = match issuer {
            "" => String::new(),
            "of the users" => format!("&iss={}", site.provider.issuer),
            other => format!("&iss={other}"),
        };
        let mut jar = Jar::default();
        let callback = site.begin(&mut jar).await;
        let (_, state) = callback.split_once("&state=").unwrap();
        let error = format!("/clef/callback?error=access_denied&state={state}{parameter}");
        let response = jar.open(&site.app, &error).await;
        assert_eq!(response.status(), denied, "{required} {issuer}");
        let page = text(response).await;
        let is_declined = page.contains("The login was not completed");
        assert_eq!(is_declined, denied == 403, "{required} {issuer}: {page}");

        let callback = site.begin(&mut jar).await + &parameter;
        let response = jar.get(&site.app, &callback).await;
        assert_eq!(response.status(), begun, "{required} {issuer}");
        let sent = site.provider.script().token_requests.len();
        assert_eq!(sent, usize::from(begun == 303), "{required} {issuer}");
        assert_eq!(jar.is_in(&site.app).await, begun == 303);
        if begun == 303 {
            let profile = site.world.users.last_profile();
            assert_eq!(profile.subject.issuer(), site.provider.issuer);
        }
    }
}

/// RFC 9207, and RFC 9700, section 4.4: neither a code nor a login of one provider is taken for
/// another's.
#[tokio::test]
async fn a_callback_of_another_provider_is_refused_before_its_code_is_sent() {
    for (required, issuer, status) in [
        (false, "", 303),
        (true, "", 502),
        (false, "own", 303),
        (true, "own", 303),
        (false, "https://evil.example", 502),
        (true, "https://evil.example", 502),
    ] {
        let site = Site::with(|client| match required {
            true => client.require_issuer_parameter(),
            false => client,
        })
        .await;
        let mut jar = Jar::default();
        let mut callback = site.begin(&mut jar).await;
        callback += &match issuer {
            "" => String::new(),
            "own" => format!("&iss={}", site.provider.issuer),
            other => format!("&iss={other}"),
        };
        let response = jar.get(&site.app, &callback).await;
        assert_eq!(response.status(), status, "{required} {issuer}");
        let sent = site.provider.script().token_requests.len();
        assert_eq!(sent, usize::from(status == 303), "{required} {issuer}");
        assert_eq!(jar.is_in(&site.app).await, status == 303);
    }

    // Two providers at one site have callbacks of their own, to which the state belongs.
    let (world, own, other) = (
        World::new(),
        TestProvider::start().await,
        TestProvider::start().await,
    );
    let layer = ClefLayer::builder(World::SITE, world.users.clone(), world.stored())
        .provider(own.client())
        .provider_at(Paths::under("/other").unwrap(), other.client())
        .build()
        .unwrap();
    let app = world.app(&layer);
    let mut jar = Jar::default();
    let response = jar.get(&app, "/clef/login").await;
    let (code, query) = own.approve(location(&response));
    let mixed = format!("/other/callback?code={code}&state={}", query["state"]);
    assert_eq!(jar.get(&app, &mixed).await.status(), 403);
    assert_eq!(other.script().token_requests.len(), 0);
    assert_eq!(query["client_id"], CLIENT_ID);
}
