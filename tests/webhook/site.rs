use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use axum_clef::{
    AdmissionLimits, ClefLayer, ClefLayerBuilder, IdentityStore as _, Profile, Subject,
    stores::MemoryUserStore,
};
use test_support::{ISSUER, TestUsers, World, notice_request};
use tower_sessions::MemoryStore;

use crate::provider::Calls;

pub const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
pub const PROVIDER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
pub const MILLISECOND: Duration = Duration::from_millis(1);

/// One of many attackers, each at an address of its own.
pub fn attacker(number: usize) -> IpAddr {
    let [_, b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
    IpAddr::from([10, b, c, d])
}

/// Its settings.
pub type Builder = ClefLayerBuilder<TestUsers>;

/// A site, the calls of its provider, and its users.
pub struct Site {
    pub calls: Calls,
    pub users: TestUsers,
    pub layer: ClefLayer,
    pub app: Router,
}

/// What a sender receives, and how long it took.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub retry_after: bool,
    pub after: Duration,
}

impl Site {
    /// A site with these limits, whose provider takes so long for each notice. The people 0 to 99
    /// are users.
    pub async fn new(takes: Duration, limits: AdmissionLimits) -> Self {
        Self::set_up(takes, |layer| layer.notice_limits(limits)).await
    }

    pub async fn set_up(takes: Duration, set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let calls = Calls::new(takes);
        let users = TestUsers::new(MemoryUserStore::new());
        for id in 0..100 {
            let profile = Profile::new(Subject::new(ISSUER, id.to_string()));
            users.find_or_create(&profile).await.unwrap().unwrap();
        }
        let layer = ClefLayer::builder(World::SITE, users.clone(), MemoryStore::default());
        let layer = set_up(layer.provider(calls.provider())).build().unwrap();
        Self {
            calls,
            users,
            app: Router::new().merge(layer.routes()).layer(layer.clone()),
            layer,
        }
    }

    /// Sends a notice from an address, without a socket.
    pub fn send(
        &self,
        sender: Option<IpAddr>,
        token: &str,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let mut request = notice_request(token);
        if let Some(sender) = sender {
            request.extensions_mut().insert(peer(sender));
        }
        answer(self.app.clone(), request)
    }

    /// Makes the provider a known sender.
    pub async fn know_the_provider(&self) {
        let answer = self.send(Some(PROVIDER), "token:99").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

/// The client of a connection from this address.
pub fn peer(client: IpAddr) -> ConnectInfo<SocketAddr> {
    ConnectInfo(SocketAddr::new(client, 4_321))
}

pub async fn answer(app: Router, request: Request<Body>) -> Answer {
    let answer = test_support::answer(&app, request).await;
    Answer {
        status: StatusCode::from_u16(answer.status).unwrap(),
        retry_after: answer.headers.contains_key("retry-after"),
        after: answer.took,
    }
}
