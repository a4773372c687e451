use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
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

/// What lies between a node's bus and PostgreSQL: a cable that can be pulled.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    cut: watch::Sender<Cut>,
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

impl Proxy {
    /// Leads to this server, until it is dropped.
    ///
    /// # Errors
    ///
    /// If there is no port on loopback.
    pub async fn to(server: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (cut, is_cut) = watch::channel(Cut::None);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (server, is_cut) = (server.clone(), is_cut.clone());
                connections.spawn(async move { connect(client, &server, is_cut).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            cut,
            _connections: connections,
        })
    }

    /// Cuts these connections, and no others from now on.
    pub fn cut(&self, cut: Cut) {
        self.cut.send_replace(cut);
    }
}

async fn connect(client: TcpStream, server: &str, is_cut: watch::Receiver<Cut>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let listens = Arc::<AtomicBool>::default();
    // When one direction has ended, so has the other.
    tokio::select! {
        _ = pass_on(from_client, to_server, &listens, is_cut.clone()) => {}
        _ = pass_on(from_server, to_client, &listens, is_cut) => {}
    }
}

async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    listens: &AtomicBool,
    mut is_cut: watch::Receiver<Cut>,
) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        let read = &bytes[..read];
        if read.windows(8).any(|word| word == b"LISTEN \"") {
            listens.store(true, SeqCst);
        }
        let passes = |cut: &Cut| match cut {
            Cut::None => true,
            Cut::Listening => !listens.load(SeqCst),
            Cut::All => false,
        };
        if is_cut.wait_for(passes).await.is_err() {
            return Ok(());
        }
        to.write_all(read).await?;
    }
}
