use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, Response, StatusCode, header},
};
use axum_clef::{
    AdmissionLimits, BoxError, ClefLayer, ClefLayerBuilder, IdentityStore, LoginCheck,
    LoginReference, Profile, RevocationKey, Subject, Timestamp, UserStore,
    stores::{Account, MemoryUserStore},
};
use tokio::time::Instant;
use tower::ServiceExt as _;
use tower_sessions::MemoryStore;

use crate::provider::{CountingProvider, ISSUER};

pub const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
pub const PROVIDER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// One of many attackers, each at an address of its own.
pub fn attacker(number: usize) -> IpAddr {
    let [_, b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
    IpAddr::from([10, b, c, d])
}

/// Its settings.
pub type Builder = ClefLayerBuilder<Users>;

/// A site, its provider and its users.
pub struct Site {
    pub provider: CountingProvider,
    pub users: Users,
    pub layer: ClefLayer,
    pub app: Router,
}

/// What a sender hears, and how long it took.
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
        let provider = CountingProvider::new(takes);
        let users = Users::default();
        for id in 0..100 {
            let profile = Profile::new(Subject::new(ISSUER, id.to_string()));
            users.find_or_create(&profile).await.unwrap().unwrap();
        }
        let sessions = MemoryStore::default();
        let site = "http://127.0.0.1:9";
        let layer = ClefLayer::builder(site, users.clone(), sessions).provider(provider.clone());
        let layer = set_up(layer).build().unwrap();
        Self {
            provider,
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
        let mut request = notice(token);
        if let Some(sender) = sender {
            let peer = ConnectInfo(SocketAddr::new(sender, 4_321));
            request.extensions_mut().insert(peer);
        }
        answer(self.app.clone(), request)
    }

    /// Makes the provider a known sender.
    pub async fn know_the_provider(&self) {
        let answer = self.send(Some(PROVIDER), "good:99").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

pub fn notice(token: &str) -> Request<Body> {
    Request::post("/clef/logout")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("logout_token={token}")))
        .unwrap()
}

pub async fn answer(app: Router, request: Request<Body>) -> Answer {
    let sent_at = Instant::now();
    let response: Response<_> = app.oneshot(request).await.unwrap();
    Answer {
        status: response.status(),
        retry_after: response.headers().contains_key(header::RETRY_AFTER),
        after: sent_at.elapsed(),
    }
}

/// Users whose store takes no logouts while it fails.
#[derive(Clone, Default)]
pub struct Users {
    inner: MemoryUserStore,
    pub failing: Arc<AtomicBool>,
}

impl Users {
    fn works(&self) -> Result<(), BoxError> {
        match self.failing.load(SeqCst) {
            true => Err("the user store is down".into()),
            false => Ok(()),
        }
    }
}

impl UserStore for Users {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.works()?;
        self.inner.log_out(id).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        self.inner.check_login(login).await
    }

    fn keeps_revocations(&self) -> bool {
        true
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        self.works()?;
        self.inner.revoke(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        self.inner.revoked_at(key).await
    }
}

impl IdentityStore for Users {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.inner.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.works()?;
        self.inner.log_out_subject(subject).await
    }
}
