//! What lies between a node's bus and PostgreSQL: a cable that can be pulled.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

pub struct Proxy {
    pub address: SocketAddr,
    cut: watch::Sender<bool>,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// Leads to this server, until it is dropped.
    pub async fn to(server: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (cut, is_cut) = watch::channel(false);
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

    /// While it is cut, nothing arrives, and nobody is told.
    pub fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

async fn connect(client: TcpStream, server: &str, is_cut: watch::Receiver<bool>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // When one direction has ended, so has the other.
    tokio::select! {
        _ = pass_on(from_client, to_server, is_cut.clone()) => {}
        _ = pass_on(from_server, to_client, is_cut) => {}
    }
}

async fn pass_on(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut is_cut: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        if is_cut.wait_for(|cut| !cut).await.is_err() {
            return Ok(());
        }
        to.write_all(&bytes[..read]).await?;
    }
}
