//! The flood over loopback: a real server that knows its peers' addresses, and attackers at
//! hundreds of addresses, one connection each.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum_clef::AdmissionLimits;
use rand::Rng as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket},
    task::{JoinHandle, JoinSet},
};

use crate::site::{PROVIDER, Site};

/// Together they send ten thousand a second, if the machine can: each its turn every 40
/// milliseconds. More of them than may be checked and wait.
const CONNECTIONS: usize = 400;
const TURN: Duration = Duration::from_millis(40);
const FORGED: usize = 10_000;

/// A server and the flood upon it.
struct Attack {
    address: SocketAddr,
    site: Site,
    forged: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    attackers: JoinSet<()>,
    server: JoinHandle<()>,
}

impl Attack {
    async fn serve() -> Self {
        let site = Site::new(Duration::from_millis(20), AdmissionLimits::default()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = site.app.clone();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        Self {
            address,
            site,
            forged: Arc::default(),
            over: Arc::default(),
            attackers: JoinSet::new(),
            server: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }),
        }
    }

    /// Begins the flood, and waits until it is one.
    async fn begin(&mut self) {
        for connection in 0..CONNECTIONS {
            let (forged, over) = (Arc::clone(&self.forged), Arc::clone(&self.over));
            self.attackers
                .spawn(forge(self.address, connection, forged, over));
        }
        while self.site.calls.gauge.most() < 64 || self.forged.load(SeqCst) < CONNECTIONS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets the flood go on until all of it is there.
    async fn end(mut self) -> Site {
        self.over.store(true, SeqCst);
        while let Some(attacker) = self.attackers.join_next().await {
            attacker.unwrap();
        }
        assert!(self.forged.load(SeqCst) >= FORGED);
        self.server.abort();
        self.site
    }

    /// A real notice: its status, and how long it took.
    async fn real(&self, client: &reqwest::Client, token: &str) -> (u16, Duration) {
        let sent_at = Instant::now();
        let url = format!("http://{}/clef/logout", self.address);
        let request = client.post(url).form(&[("logout_token", token)]);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), sent_at.elapsed())
    }
}

fn provider() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.local_address(PROVIDER).build().unwrap()
}

/// One attacker's connection, kept alive: no notice is sent before the last is answered.
async fn forge(
    address: SocketAddr,
    connection: usize,
    forged: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
) {
    let socket = TcpSocket::new_v4().unwrap();
    let attacker = Ipv4Addr::new(127, 1, (connection / 200) as u8, (connection % 200) as u8);
    socket.bind(SocketAddr::new(attacker.into(), 0)).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let mut turn = tokio::time::interval(TURN);
    while !over.load(SeqCst) || forged.load(SeqCst) < FORGED {
        turn.tick().await;
        let number = forged.fetch_add(1, SeqCst);
        let body = format!("logout_token=forged-{connection}-{number}");
        let request = format!(
            "POST /clef/logout HTTP/1.1\r\nhost: site\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // All answers are an object in JSON, and short.
        while !answer.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "hung up");
        }
        let refused = [&b"HTTP/1.1 400"[..], b"HTTP/1.1 503"];
        assert!(refused.iter().any(|refused| answer.starts_with(refused)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_notice_of_a_known_sender_gets_through_at_its_first_try() {
    let mut attack = Attack::serve().await;
    let client = provider();
    assert_eq!(attack.real(&client, "token:0").await.0, 200);
    attack.begin().await;
    for id in 1..=50 {
        let (status, after) = attack.real(&client, &format!("token:{id}")).await;
        assert_eq!(status, 200, "notice {id}");
        // What senders wait for an answer, with ease.
        assert!(after < Duration::from_secs(5), "notice {id}: {after:?}");
    }
    let site = attack.end().await;
    assert!(site.calls.gauge.most() <= 64 + 64);
}

/// 0.68 of them fail at ten thousand a second (see `flood`), so sixty do in a row once in ten
/// thousand million runs. A slow machine slows the flood as well.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_sender_who_comes_again_gets_through() {
    let mut attack = Attack::serve().await;
    attack.begin().await;
    let client = provider();
    let mut tries = 0;
    while attack.real(&client, "token:1").await.0 != 200 {
        tries += 1;
        assert!(tries < 60, "never heard");
        // A hundredth of what `Retry-After` asks for, and not in step with the provider.
        let late = rand::thread_rng().gen_range(0..20);
        tokio::time::sleep(Duration::from_millis(50 + late)).await;
    }
    attack.end().await;
}
