//! The site, and bare axum beside it.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Form, Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{any, post},
};
use axum_clef::{
    AdmissionLimits, ClefLayer, IdentityStore as _, Profile, ProviderSession, Subject, Timestamp,
    User as _, clef::Clef, oidc::Oidc, security_events::EventReceiver, stores::MemoryUserStore,
};
use serde_json::json;
use test_support::{Issuer, World};
use tokio::{net::TcpListener, runtime::Runtime};
use tower::ServiceExt as _;
use tower_sessions::MemoryStore;

use crate::wires::{AUDIENCE, Notice, PEOPLE, Wire, person, session};

/// The address of the provider and of Clef.
pub const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

pub struct Site {
    pub issuer: Arc<Issuer>,
    pub app: Router,
    /// The same site with one place to check a notice, which is taken.
    pub full: Router,
    pub bare: Router,
}

impl Site {
    /// `elsewhere` runs the provider and Clef.
    pub fn start(elsewhere: &Runtime, runtime: &Runtime) -> Self {
        let (issuer, clef) = elsewhere.block_on(async {
            let issuer = Issuer::start().await.unwrap();
            (issuer, start_clef().await)
        });
        runtime.block_on(async {
            let users = users(&issuer.url, &clef).await;
            let app = app(&issuer, &clef, &users, AdmissionLimits::default()).await;
            let one = AdmissionLimits::default().concurrency(1).queue(0);
            let full = app_of_one(&issuer, &clef, &users, one).await;
            let bare = any(|_: Bytes| async { StatusCode::BAD_REQUEST });
            let site = Self {
                issuer,
                app,
                full,
                bare: Router::new().fallback(bare).with_state(()),
            };
            site.answers_as_it_should().await;
            site
        })
    }

    /// The application for such a notice.
    pub fn app_for(&self, notice: Notice) -> &Router {
        match notice {
            Notice::TurnedAway => &self.full,
            _ => &self.app,
        }
    }

    /// Sends each notice once, and sees that it is answered as it must be.
    async fn answers_as_it_should(&self) {
        for wire in Wire::ALL {
            // The real one first, so that the keys are there.
            let notices = Notice::ALL.into_iter().rev();
            for notice in notices.filter(|notice| wire.has(*notice)) {
                let request = from(SENDER, wire.request(&self.issuer, notice, 0));
                let status = answer(self.app_for(notice), request).await;
                let is_good = match notice {
                    Notice::Real => status.is_success(),
                    Notice::TurnedAway => status == StatusCode::SERVICE_UNAVAILABLE,
                    // A session that is not known is answered as one that is.
                    Notice::Unknown if wire == Wire::FrontChannel => status == StatusCode::OK,
                    _ => status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE,
                };
                assert!(is_good, "{}, {}: {status}", wire.name(), notice.name());
            }
        }
    }
}

/// The request as one from this address.
pub fn from(address: IpAddr, mut request: Request<Body>) -> Request<Body> {
    let address = ConnectInfo(SocketAddr::new(address, 1));
    request.extensions_mut().insert(address);
    request
}

/// As axum serves it: by a clone of the router.
pub async fn answer(app: &Router, request: Request<Body>) -> StatusCode {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    drop(to_bytes(response.into_body(), 1_000).await.unwrap());
    status
}

async fn app(
    issuer: &Issuer,
    clef: &str,
    users: &MemoryUserStore,
    limits: AdmissionLimits,
) -> Router {
    let openid = Oidc::discover(&*issuer.url, Issuer::CLIENT_ID, "no secret").await;
    let openid = openid.unwrap();
    let events = EventReceiver::discover(&*issuer.url, AUDIENCE).await;
    let layer = ClefLayer::builder(World::SITE, users.clone(), MemoryStore::default())
        .provider(Clef::new(clef, "id", "secret").unwrap())
        .logout_endpoint(Wire::BackChannel.path(), openid.back_channel_logout())
        .logout_endpoint(Wire::FrontChannel.path(), openid.front_channel_logout())
        .logout_endpoint(
            Wire::TokenRevocation.path(),
            openid.global_token_revocation(),
        )
        .logout_endpoint(Wire::SecurityEvent.path(), events.unwrap())
        .notice_limits(limits)
        .build()
        .unwrap();
    Router::new()
        .merge(layer.routes())
        .layer(layer)
        .with_state(())
}

/// The site, with a notice that Clef never answers, again and again.
async fn app_of_one(
    issuer: &Issuer,
    clef: &str,
    users: &MemoryUserStore,
    limits: AdmissionLimits,
) -> Router {
    let app = app(issuer, clef, users, limits).await;
    let hanging = app.clone();
    tokio::spawn(async move {
        loop {
            let hangs = Request::post(Wire::Webhook.path())
                .header("content-type", "application/x-www-form-urlencoded")
                .body("logout_token=hang".into())
                .unwrap();
            answer(&hanging, from(SENDER, hangs)).await;
        }
    });
    tokio::task::yield_now().await;
    app
}

/// People of both providers, each in a session of the OpenID provider.
async fn users(issuer: &str, clef: &str) -> MemoryUserStore {
    let users = MemoryUserStore::new();
    for number in 0..PEOPLE {
        let of = |issuer: &str| Profile::new(Subject::new(issuer, person(number)));
        users.find_or_create(&of(clef)).await.unwrap();
        let account = users.find_or_create(&of(issuer)).await.unwrap().unwrap();
        let session = ProviderSession::new(issuer, session(number));
        let keep_until = Timestamp::from_micros(i64::MAX);
        let id = account.id();
        let noted = users.note_session(&session, &id, keep_until);
        noted.await.unwrap();
    }
    users
}

/// The one call of Clef that matters here: a token `real:12` is good, and `hang` is never answered.
async fn start_clef() -> String {
    async fn logout(Form(form): Form<HashMap<String, String>>) -> Response {
        match form["logout_token"].split_once(':') {
            Some(("real", number)) => {
                let number: usize = number.parse().unwrap();
                Json(json!({ "success": true, "clef_id": person(number) })).into_response()
            }
            Some(_) => {
                let error = json!({ "success": false, "error": "Invalid Logout Token." });
                (StatusCode::FORBIDDEN, Json(error)).into_response()
            }
            None => std::future::pending().await,
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/api/v1/logout", post(logout));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}
