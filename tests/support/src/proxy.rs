use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// What lies between a node and a server: a cable that can be pulled, and plugged in elsewhere.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: watch::Sender<State>,
    /// How many connections there were.
    connections: Arc<AtomicU64>,
    _connections: JoinSet<()>,
}

/// The connections on which nothing arrives, though they stay open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// No connection.
    None,
    /// Those that have sent a `LISTEN`.
    Listening,
    /// Every connection.
    All,
}

/// Where new connections lead, and which are cut.
struct State {
    server: String,
    cut: Cut,
    /// Connections with a lower number are lost: neither side hears of it.
    lost_below: u64,
    /// Connections with a lower number are closed.
    closed_below: u64,
}

impl Proxy {
    /// Leads to this server, until it is dropped.
    ///
    /// # Errors
    ///
    /// If there is no port on loopback.
    pub async fn to(server: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (state, watched) = watch::channel(State {
            server,
            cut: Cut::None,
            lost_below: 0,
            closed_below: 0,
        });
        let numbers = Arc::<AtomicU64>::default();
        let count = Arc::clone(&numbers);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let number = count.fetch_add(1, SeqCst);
                connections.spawn(connect(client, number, watched.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            state,
            connections: numbers,
            _connections: connections,
        })
    }

    /// Cuts these connections, and no others from now on.
    pub fn cut(&self, cut: Cut) {
        self.state.send_modify(|state| state.cut = cut);
    }

    /// Leads new connections to another server. The others stay where they are.
    pub fn lead_to(&self, server: String) {
        self.state.send_modify(|state| state.server = server);
    }

    /// Closes the present connections. New ones work.
    pub fn close_connections(&self) {
        let number = self.connections.load(SeqCst);
        self.state.send_modify(|state| state.closed_below = number);
    }

    /// Nothing arrives on the present connections any more, though they stay open, as behind a
    /// firewall that has forgotten them. New ones work.
    pub fn lose_connections(&self) {
        let number = self.connections.load(SeqCst);
        self.state.send_modify(|state| state.lost_below = number);
    }
}

async fn connect(client: TcpStream, number: u64, mut state: watch::Receiver<State>) {
    // A connection that is made while all are cut waits.
    let open = state.wait_for(|state| state.cut != Cut::All).await;
    let Ok(server) = open.map(|state| state.server.clone()) else {
        return;
    };
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let listens = Arc::<AtomicBool>::default();
    // When one direction has ended, so has the other.
    tokio::select! {
        _ = pass_on(from_client, to_server, &listens, number, state.clone()) => {}
        _ = pass_on(from_server, to_client, &listens, number, state.clone()) => {}
        _ = state.wait_for(|state| number < state.closed_below) => {}
    }
}

async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    listens: &AtomicBool,
    number: u64,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read > 0 && bytes[..read].windows(8).any(|word| word == b"LISTEN \"") {
            listens.store(true, SeqCst);
        }
        let passes = |state: &State| {
            let is_cut = match state.cut {
                Cut::None => false,
                Cut::Listening => listens.load(SeqCst),
                Cut::All => true,
            };
            !is_cut && number >= state.lost_below
        };
        // The end of a connection does not arrive either.
        if state.wait_for(passes).await.is_err() || read == 0 {
            return Ok(());
        }
        to.write_all(&bytes[..read]).await?;
    }
}
