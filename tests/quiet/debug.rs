//! Every `Debug`, `Display` and `source` of what the crate makes public.

use std::{
    any,
    collections::BTreeSet,
    error::Error,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::{
    Router,
    body::Body,
    extract::FromRequestParts as _,
    http::{Request, StatusCode, request::Parts},
    routing::{get, post},
};
use axum_clef::{
    AddressError, AdmissionLimits, BoxError, BuildError, ClefLayer, EventName, IdentityStore as _,
    InvalidSessionKey, LinkOutcome, LoggedInRejection, Login, LoginCheck, LoginId, LoginReference,
    LogoutCause, NewLogin, NewToken, OtherLogins, OtherLoginsError, Paths, Profile, ProviderKey,
    ProviderSession, ProviderTokens, RecentLogin, RevocationKey, SameOrigin, SameOriginRejection,
    SessionKey, SessionStore, Sessions, SignOut, Subject, SubjectIdentifier, SuspendedLogin,
    Timestamp, User as _,
    clef::{ButtonColor, ButtonStyle, ButtonType, Clef, ClefError},
    leased::{
        Leased, LogoutBus, LogoutKey, LogoutListener, LogoutNews, PostgresLogoutBus, Reach,
        RedisLogoutBus,
    },
    oauth2::{OAuth2, OAuth2Endpoints, OAuth2Error},
    oidc::{AppleKey, ClientAuthentication, Oidc, OidcError, SigningAlgorithm, TokenError},
    provider::{
        Authentication, CodeExchange, LoginRequest, LoginSecret, LogoutEndpoint as _,
        LogoutMessage, LogoutNotice, LogoutOutcome, LogoutRequest, LogoutScope, OneTimeState,
        Provider as _, ProviderErrorKind, ProviderLogin, ProviderSite, SignOutRequest,
    },
    security_events::{
        AccessToken, AppleNotices, EventDelivery, EventPoll, EventReceiver, EventSubject,
        Initiator, RemoteError, SecurityEvent, SecurityEventError, SecurityEventKind, StreamClient,
    },
    stores::{MemoryUserStore, PostgresUserStore, SqliteUserStore},
    testing::{Rule, check_identity_store},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clef_dev::{Application, ClefService, Fault, PEOPLE, Person, TEST_APPLICATIONS};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use tower::{Layer as _, ServiceExt as _};
use tower_sessions::{
    session::{Id, Record},
    session_store,
};
use tower_sessions_redis_store::fred::prelude::{Client, Config};
use url::Url;

use crate::world::{Said, World};

const EMAIL: &str = "alex@getclef.com";

/// An error and all that is behind it, in both ways to say it.
pub fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(error) = next {
        text += &format!(" {error} {error:?}");
        next = error.source();
    }
    text
}

/// The bare name of a type.
pub fn type_name<T>() -> String {
    let name = any::type_name::<T>().trim_start_matches('&');
    let name = name.split('<').next().unwrap();
    name.rsplit("::").next().unwrap().to_owned()
}

/// The names of the types that are `pub` somewhere in the sources.
fn public_types() -> BTreeSet<String> {
    fn visit(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, names);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap_or_default();
            for line in source.lines() {
                let line = line.trim_start();
                let item = ["pub struct ", "pub enum "]
                    .iter()
                    .find_map(|start| line.strip_prefix(start));
                if let Some(item) = item {
                    let end = item.find(|c: char| !c.is_alphanumeric()).unwrap();
                    names.insert(item[..end].to_owned());
                }
            }
        }
    }
    let mut names = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for source in ["src", "clef-dev/src"] {
        visit(&root.join(source), &mut names);
    }
    names
}

#[tokio::test]
async fn nothing_secret_is_said_by_any_public_type() {
    let mut world = World::start(false).await;
    let said = world.said.clone();

    // What a site has while it runs, and fails.
    world.log_in(0).await;
    let (status, _) = world.get(&format!("{}/extractors", world.site)).await;
    assert_eq!(status, 200);
    world.note_cookies();
    let callback = world.approve(0).await;
    let spoilt = callback.replace("code=", "code=SECRET-CODE");
    assert_eq!(world.get(&spoilt).await.0, 403);
    assert_eq!(world.get(&spoilt).await.0, 403);
    let twice = format!("{callback}&code=SECRET-CODE");
    assert_eq!(world.get(&twice).await.0, 400);
    for fault in [Fault::Down, Fault::HtmlInsteadOfJson, Fault::WrongAnswer] {
        let callback = world.approve(0).await;
        world.clef.misbehave(fault);
        assert_eq!(world.get(&callback).await.0, 502);
        world.clef.behave();
    }
    for delivery in world.clef.log_out(PEOPLE[0].id()).await.unwrap() {
        said.by(&delivery);
    }
    assert_eq!(world.status().await, 401);
    said.by(&world.clef);
    said.by_error(&world.clef.log_out("nobody").await.unwrap_err());

    plain_values(&said);
    providers(&said).await;
    open_id_providers(&said).await;
    security_events(&said).await;
    oauth2_providers(&said).await;
    stores(&said).await;
    leased(&said).await;
    layers(&said).await;

    let all = said.all();
    let heard: BTreeSet<_> = all.iter().map(|(name, _)| name.clone()).collect();
    let public = public_types();
    assert!(public.len() > 40, "the sources are read");
    let silent: Vec<_> = public
        .iter()
        // Of a hidden method, which no other crate can name; and of types without a value.
        .filter(|name| !["Sealed", "AllOf", "AnyOf"].contains(&name.as_str()))
        .filter(|name| !heard.contains(*name))
        .collect();
    assert!(silent.is_empty(), "no test looks at {silent:?}");

    let secrets = world.secrets.iter().map(String::as_str);
    let emails = PEOPLE.iter().filter_map(Person::email);
    let secrets: Vec<_> = secrets.chain(emails).chain(["SECRET", EMAIL]).collect();
    assert!(secrets.len() > 20, "the browser has seen some");
    for (name, text) in all {
        for secret in &secrets {
            assert!(!text.contains(secret), "{name} says {secret:?}: {text}");
        }
    }
}

/// What holds no more than its name.
fn plain_values(said: &Said) {
    said.by_error(&AddressError::NotHttp);
    let no_key: Result<SessionKey, InvalidSessionKey> = "secret".parse();
    said.by_error(&no_key.unwrap_err());
    said.by_error(&SameOriginRejection::CrossOrigin);
    said.by_error(&Paths::under("x y").unwrap_err());
    said.by(&Paths::default());
    said.by(&Timestamp::now());
    said.by(&AdmissionLimits::default());
    said.by(&LoginCheck::new("a user", Timestamp::now()));
    said.by(&LinkOutcome::Linked);
    said.by_error(&"no id".parse::<LoginId>().unwrap_err());
    said.by_error(&BuildError::NoLogin);
    said.by(&(ButtonColor::Blue));
    said.by(&(ButtonStyle::Flat));
    said.by(&(ButtonType::Login));
    said.by(&axum_clef::LogoutReason::LoggedOut);
    said.by(&Fault::Down);
    said.by(&Rule::Answers);
    said.by_error(&ProviderErrorKind::Refused);
    said.by_error(&axum_clef::LogoutError::Pending);
    said.by(&axum_clef::RejectionKind::Unauthenticated);
    said.by(&axum_clef::PageText::ALL[0]);
    said.by(&LogoutOutcome::NotANotice(StatusCode::BAD_REQUEST, "no"));
    said.by(&clef("https://clef.example").answer(LogoutOutcome::TryAgain));
}

fn clef(base_url: &str) -> Clef {
    Clef::new(base_url, "the id", "SECRET-SECRET").unwrap()
}

async fn providers(said: &Said) {
    let state = OneTimeState::new("SECRET-STATE");
    let code = SecretString::from("SECRET-CODE");
    let url: Url = "https://site.example/".parse().unwrap();
    let secret = LoginSecret::from_bytes(*b"SECRET-SECRET-SECRET-SECRET-SECR");
    let login =
        LoginRequest::new(&url, &state, &secret).with_max_age(Some(Duration::from_secs(600)));
    let exchange = CodeExchange::new(&code, &url, &url, &secret);
    said.by(&state);
    said.by(&login);
    let user = SecretString::from("SECRET-NAME");
    said.by(&exchange.with_user(Some(&user)));
    said.by(&secret);
    let session = ProviderSession::new("https://clef.example.com", "SECRET-SESSION");
    said.by(&session);
    let person = Subject::new("https://clef.example.com", EMAIL);
    for key in [
        ProviderKey::Session {
            issuer: session.issuer(),
            id: session.id(),
        },
        ProviderKey::Subject {
            issuer: person.issuer(),
            id: person.id(),
        },
    ] {
        said.by(&key);
        said.by(&RevocationKey::from(key));
        said.by(&LogoutKey::Revocation(key.into()));
        said.by(&LoginReference::new("1").with_provider_key(Some(key)));
    }
    said.by(&LogoutKey::Subject(person));
    said.by(&RevocationKey::Issuer(session.issuer().to_owned()));
    said.by(&RevocationKey::Everyone);
    let profile = Profile::new(Subject::new("https://clef.example.com", EMAIL));
    let tokens =
        ProviderTokens::new("SECRET-ACCESS").with_refresh_token(Some("SECRET-REFRESH".into()));
    said.by(&tokens);
    let profile = profile.with_tokens(Some(tokens));
    said.by(&profile);
    let scope = LogoutScope::session(session.clone(), Some(profile.subject.clone()));
    said.by(&scope);
    let identifier = SubjectIdentifier::Email(EMAIL.to_owned());
    said.by(&identifier);
    said.by(&LogoutScope::identified(
        "https://clef.example.com",
        identifier,
    ));
    let key = LogoutKey::Subject(profile.subject.clone());
    said.by(&LogoutNews::LoggedOut(key));
    said.by(&LogoutNotice::new(scope.clone())
        .and(scope)
        .with_id("SECRET-NOTICE"));
    said.by(&LogoutCause::provider(EMAIL));
    said.by(&EventName::new("session-revoked").unwrap());
    let hint = SecretString::from("SECRET-HINT");
    said.by(&ProviderSite::new(&url, &url));
    said.by(&SignOutRequest::new(&url, &state, Some(&hint)));
    said.by(&Authentication::ForThisLogin);
    said.by(&ProviderLogin::new(profile)
        .authenticated(Authentication::At(Timestamp::now()))
        .in_session(session)
        .with_sign_out_hint(hint));

    let clef = clef("http://127.0.0.1:1");
    said.by(&clef);
    said.by(&clef.button(&login).unwrap());
    let error = clef.exchange(&exchange).await.unwrap_err();
    said.by_error(&error);
    let cause = error.source().unwrap().downcast_ref::<ClefError>().unwrap();
    said.by_error(cause);

    let application = Application::new("the id", "SECRET-SECRET");
    let person = Person::new("12345", "SECRET-NAME", "").with_email(EMAIL);
    said.by(&application);
    said.by(&TEST_APPLICATIONS[0]);
    said.by(&person);
    let builder = ClefService::builder();
    said.by(&builder.application(application).person(person));
}

/// Those of OpenID Connect.
async fn open_id_providers(said: &Said) {
    let oidc = Oidc::new("http://127.0.0.1:1", "the id", "SECRET-SECRET").unwrap();
    said.by(&oidc);
    let taken = oidc
        .clone()
        .authorization_parameter("nonce", "SECRET-NONCE");
    said.by_error(&taken.unwrap_err());
    said.by(&oidc.back_channel_logout());
    said.by(&oidc.front_channel_logout());
    said.by(&oidc.global_token_revocation());
    let token = "SECRET-HEADER.SECRET-CLAIMS.SECRET-SIGNATURE";
    let message = LogoutMessage::new(token).with_content(EMAIL);
    said.by(&message);
    let headers = axum_clef::http::HeaderMap::new();
    let query = Some("sid=SECRET-SESSION");
    said.by(&LogoutRequest::new(query, &headers, EMAIL.as_bytes()));
    let error = oidc
        .back_channel_logout()
        .verify(&message, &"https://site.example/".parse().unwrap())
        .await
        .unwrap_err();
    said.by_error(&error);
    let cause = error.source().unwrap().downcast_ref::<OidcError>().unwrap();
    said.by_error(cause);
    said.by_error(&TokenError::Missing("sub"));
    let pem =
        |text: &str| format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----");
    said.by_error(&AppleKey::new("the team", "the key", pem("SECRET")).unwrap_err());
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let text = STANDARD.encode(key.to_pkcs8v1().unwrap().as_ref());
    let key = AppleKey::new("the team", "the key", pem(&text)).unwrap();
    said.by(&key);
    assert!(!format!("{key:?}").contains(&text));
    said.by(&Oidc::apple("the id", key));
    said.by(&ClientAuthentication::Basic);
    said.by(&SigningAlgorithm::Es256);
}

/// Those of security events.
async fn security_events(said: &Said) {
    let receiver = EventReceiver::new("http://127.0.0.1:1", "the audience").unwrap();
    let receiver = receiver.authorization("SECRET-AUTHORIZATION");
    receiver.expect_state("SECRET-STATE");
    said.by(&receiver);
    let token = "SECRET-HEADER.SECRET-CLAIMS.SECRET-SIGNATURE";
    let message = LogoutMessage::new(token);
    let url = "https://site.example/".parse().unwrap();
    let error = receiver.verify(&message, &url).await.unwrap_err();
    let cause = error.source().unwrap().downcast_ref::<SecurityEventError>();
    said.by_error(cause.unwrap());
    said.by_error(&RemoteError::Unreadable { what: "keys" });
    said.by(&AppleNotices::new(["the app"]).unwrap());
    let members = serde_json::json!({
        "state": "SECRET-STATE", "reason_user": EMAIL, "credential_type": "password",
        "change_type": "create", "subject": { "format": "email", "email": EMAIL },
    });
    let members = members.as_object().unwrap();
    let caep = "https://schemas.openid.net/secevent/caep/event-type/credential-change";
    let ssf = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    for uri in [caep, ssf, EMAIL] {
        let mut event = SecurityEvent::new("https://id.example", "SECRET-ID", uri, members);
        let mut subject = EventSubject::default();
        subject.user = serde_json::from_value(members["subject"].clone()).ok();
        said.by(&subject);
        event.subject = Some(subject);
        said.by(&event);
        said.by(&event.kind);
        if let SecurityEventKind::CredentialChange(change) = &event.kind {
            said.by(change);
            said.by(&change.change);
        }
    }
    said.by(&Initiator::Administrator);
    let token = AccessToken::from(SecretString::from("SECRET-TOKEN"));
    said.by(&token);
    let client = StreamClient::new(&receiver, token.clone());
    said.by(&client);
    said.by(&EventPoll::new(&receiver, "http://127.0.0.1:1", token.clone()).unwrap());
    let delivery = EventDelivery::push("https://site.example/events");
    said.by(&delivery.authorization("SECRET-AUTHORIZATION"));
    said.by_error(&client.list().await.unwrap_err());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = serde_json::json!({
        "issuer": issuer, "jwks_uri": issuer, "configuration_endpoint": format!("{issuer}/stream"),
        "status_endpoint": format!("{issuer}/status"),
    });
    let stream = r#"{"stream_id":"1","delivery":{"authorization_header":"SECRET-AUTHORIZATION"}}"#;
    let metadata = metadata.to_string();
    let app = Router::new()
        .route(
            "/.well-known/ssf-configuration",
            get(async move || metadata),
        )
        .route("/status", get(async || r#"{"status":"enabled"}"#))
        .route("/stream", get(async move || stream));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let client = StreamClient::new(&EventReceiver::new(issuer, "1").unwrap(), token);
    said.by(&client.read("1").await.unwrap());
    let status = client.status("1").await.unwrap();
    said.by(&status);
    said.by(&status.state);
}

/// Those of OAuth 2.0, with an API that says more than it should.
async fn oauth2_providers(said: &Said) {
    let token = r#"{"access_token":"SECRET-TOKEN","token_type":"bearer"}"#;
    let user = r#"{"id":"","email":"SECRET-EMAIL"}"#;
    let app = Router::new()
        .route("/token", post(move || async move { token }))
        .route("/user", get(move || async move { user }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let endpoints = OAuth2Endpoints {
        issuer: &issuer,
        authorization: &issuer,
        token: &format!("{issuer}/token"),
        user_info: &[&format!("{issuer}/user")],
    };
    said.by(&endpoints);
    let read = said.clone();
    let oauth2 = OAuth2::new(endpoints, "the id", "SECRET-SECRET", move |info| {
        read.by(info);
        info.profile("id")
    });
    let oauth2 = oauth2.unwrap();
    said.by(&oauth2);
    let (code, url) = (SecretString::from("SECRET-CODE"), issuer.parse().unwrap());
    let secret = LoginSecret::from_bytes(*b"SECRET-SECRET-SECRET-SECRET-SECR");
    let exchange = CodeExchange::new(&code, &url, &url, &secret);
    let error = oauth2.exchange(&exchange).await.unwrap_err();
    said.by_error(&error);
    let cause = error.source().unwrap().downcast_ref::<OAuth2Error>();
    said.by_error(cause.unwrap());
}

async fn stores(said: &Said) {
    let mut profile = Profile::new(Subject::new("https://clef.example.com", EMAIL));
    profile.first_name = Some("SECRET-NAME".to_owned());
    profile.email = Some(EMAIL.to_owned());
    profile.phone_number = Some("SECRET-NUMBER".to_owned());
    said.by(&profile);
    said.by(&profile.subject);
    let users = MemoryUserStore::new();
    let account = users.find_or_create(&profile).await.unwrap().unwrap();
    assert_eq!(account.id(), "1");
    said.by(&account);
    said.by(&users);
    said.by(&SqliteUserStore::connect("sqlite::memory:").await.unwrap());
    let nowhere = "postgres://clef:SECRET-PASSWORD@127.0.0.1:1/users";
    said.by(&PostgresUserStore::new(
        PgPool::connect_lazy(nowhere).unwrap(),
    ));
    let broken = check_identity_store(async || Err::<MemoryUserStore, _>("no store")).await;
    said.by_error(&broken.unwrap_err());
}

/// A bus that looks at whom it brings news to, and whose news is a secret.
struct Bus(Said);

#[async_trait]
impl LogoutBus for Bus {
    async fn listen(&self, listener: &LogoutListener) {
        listener.receive("SECRET-NEWS");
        self.0.by(listener);
        std::future::pending::<()>().await;
    }

    async fn publish(&self, _: &str) -> Result<Reach, BoxError> {
        Ok(Reach::Unknown)
    }
}

async fn leased(said: &Said) {
    let users = Leased::new(MemoryUserStore::new(), Duration::ZERO).bus(Bus(said.clone()));
    said.by(&users);
    users
        .log_out_subject(&Subject::new("https://clef.example.com", EMAIL))
        .await
        .unwrap();
    tokio::task::yield_now().await;
    said.by(&Reach::Unknown);
    let nowhere = "postgres://clef:SECRET-PASSWORD@127.0.0.1:1/users";
    let bus = PostgresLogoutBus::new(PgPool::connect_lazy(nowhere).unwrap());
    said.by(&bus);
    let nowhere = Config::from_url("redis://clef:SECRET-PASSWORD@127.0.0.1:1").unwrap();
    let client = Client::new(nowhere, None, None, None);
    said.by(&RedisLogoutBus::new(client, "logouts"));
}

/// A session store whose errors say what they should not.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl SessionStore for Broken {
    async fn save(&self, _: &Record) -> session_store::Result<()> {
        Err(session_store::Error::Backend("it is broken".to_owned()))
    }

    async fn load(&self, _: &Id) -> session_store::Result<Option<Record>> {
        Err(session_store::Error::Backend("it is broken".to_owned()))
    }

    async fn delete(&self, _: &Id) -> session_store::Result<()> {
        Err(session_store::Error::Backend("it is broken".to_owned()))
    }
}

async fn layers(said: &Said) {
    said.by(&Sessions::sealed([SessionKey::from_bytes(
        *b"SECRET-SECRET-SECRET-SECRET-SECR",
    )]));
    said.by(&SessionKey::from_bytes(
        *b"SECRET-SECRET-SECRET-SECRET-SECR",
    ));
    let layer = ClefLayer::builder("https://site.example", MemoryUserStore::new(), Broken)
        .provider(clef("https://clef.example"))
        .build()
        .unwrap();
    said.by(&layer);
    let service = tower::service_fn(|_: axum::extract::Request| async {
        Ok::<axum::response::Response, std::convert::Infallible>(Default::default())
    });
    let mut service = layer.layer(service);
    said.by(&service);
    let mut request = axum::extract::Request::default();
    let cookie = "__Host-auth=SECRET-ID.SECRET-KEY; __Host-auth-idle=SECRET-IDLE";
    request
        .headers_mut()
        .insert("cookie", cookie.parse().unwrap());
    let response = tower::Service::call(&mut service, request);
    said.by(&response);
    assert_eq!(response.await.unwrap().status(), 200);
    rejections(said, layer).await;
    own_logins(said).await;
    tokens(said).await;
}

/// Logins that a handler begins.
async fn own_logins(said: &Said) {
    let (new, suspended, rejected) = (said.clone(), said.clone(), said.clone());
    let password = async move |login: NewLogin| {
        new.by(&login);
        login.suspend("1", "/code").await
    };
    let recent = async move |login: Result<RecentLogin<10>, LoggedInRejection>| {
        rejected.by_error(&login.unwrap_err());
    };
    let code = async move |login: SuspendedLogin| {
        suspended.by(&login);
        let error = login.begin().await.unwrap_err();
        suspended.by_error(&error);
        suspended.by(&error.kind());
    };
    let store = tower_sessions::MemoryStore::default();
    let layer = ClefLayer::builder("https://site.example", MemoryUserStore::new(), store)
        .login_page("/log-in")
        .build()
        .unwrap();
    let app: Router = Router::new()
        .route("/password", post(password))
        .route("/code", post(code))
        .route("/recent", post(recent))
        .layer(layer);
    let request = Request::post("/password").body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 303);
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let request = Request::post("/code").header("cookie", cookie);
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let request = Request::post("/recent").body(Body::empty()).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
    let secret = cookie.split('.').next_back().unwrap();
    for (name, text) in said.all() {
        assert!(!text.contains(secret), "{name}: {text}");
    }
}

/// Bearer tokens: neither their secret nor their name is said.
async fn tokens(said: &Said) {
    let (made, used) = (said.clone(), said.clone());
    let secret = Arc::<Mutex<String>>::default();
    let kept = Arc::clone(&secret);
    let make = async move |token: NewToken| {
        made.by(&token);
        let token = token.mint("the SECRET-NAME").await.unwrap();
        made.by(&token);
        *kept.lock().unwrap() = token.secret().expose_secret().to_owned();
    };
    let fail = said.clone();
    let make_badly = async move |token: NewToken| {
        let error = token.mint("SECRET-NAME\0").await.unwrap_err();
        fail.by_error(&error);
    };
    let ended = said.clone();
    let ask = async move |login: Result<Login, LoggedInRejection>| {
        let rejection = login.unwrap_err();
        ended.by(rejection.ended_login().unwrap());
    };
    let show = async move |login: Login| {
        assert_eq!(login.token_name(), Some("the SECRET-NAME"));
        used.by(&login);
    };
    let users = MemoryUserStore::new();
    let profile = Profile::new(Subject::new("https://site.example", "1"));
    let user = users.find_or_create(&profile).await.unwrap().unwrap();
    let id = user.id();
    let log_in = async move |login: NewLogin| login.begin(&id).await;
    let store = tower_sessions::MemoryStore::default();
    let builder = ClefLayer::builder("https://site.example", users, store).login_page("/log-in");
    let builder = builder.bearer_tokens([SessionKey::from_bytes([7; 32])]);
    said.by(&builder);
    let layer = builder.build().unwrap();
    said.by(&layer);
    let app: Router = Router::new()
        .route("/log-in", post(log_in))
        .route("/make", post(make))
        .route("/make-badly", post(make_badly))
        .route("/show", get(show))
        .route("/ask", get(ask))
        .layer(layer.clone());
    let request = Request::post("/log-in").body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    for path in ["/make", "/make-badly"] {
        let request = Request::post(path).header("cookie", cookie);
        let request = request.body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), 200);
    }
    let secret = secret.lock().unwrap().clone();
    let request = Request::get("/show").header("authorization", format!("Bearer {secret}"));
    let request = request.body(Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(request).await.unwrap().status(), 200);
    assert_eq!(layer.logouts().log_out_user("1").await, Ok(true));
    let request = Request::get("/ask").header("cookie", cookie);
    let request = request.body(Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(request).await.unwrap().status(), 200);
    for (name, text) in said.all() {
        assert!(!text.contains(&secret[5..]), "{name}: {text}");
        assert!(!text.contains("SECRET-NAME"), "{name}: {text}");
    }
}

/// What a handler cannot do, and the errors that say so.
async fn rejections(said: &Said, layer: ClefLayer) {
    let (failed, refused) = (said.clone(), said.clone());
    let leave = async move |sign_out: SignOut| {
        failed.by_error(&sign_out.end().await.unwrap_err());
    };
    let form = async move |mut parts: Parts| {
        let rejection = SameOrigin::from_request_parts(&mut parts, &()).await;
        refused.by_error(&rejection.unwrap_err());
        let rejection = OtherLogins::from_request_parts(&mut parts, &()).await;
        refused.by_error(&rejection.unwrap_err());
        let error = OtherLoginsError::from(BoxError::from("no connection"));
        refused.by(&error.kind());
        refused.by_error(&error);
    };
    let app: Router = Router::new()
        .route("/leave", post(leave))
        .route("/form", get(form))
        .layer(layer);
    let secret = "SECRET-SECRET-SECRET-SECRET-SECRET-SECRET-A";
    let leave =
        Request::post("/leave").header("cookie", format!("__Host-auth={}.{secret}", Id::default()));
    let form = Request::get("/form").header("sec-fetch-site", "cross-site");
    for request in [leave, form] {
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}
