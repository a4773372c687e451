use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// An open page, as far as the server can tell: one connection, read line by line.
pub struct LivePage(BufReader<TcpStream>);

impl LivePage {
    /// Opens a page with these cookies.
    ///
    /// # Errors
    ///
    /// If there is no connection.
    pub async fn open(site: SocketAddr, cookies: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(site).await?;
        let request = format!(
            "GET /auth/live HTTP/1.1\r\nHost: {site}\r\nAccept: text/event-stream\r\n\
             Sec-Fetch-Site: same-origin\r\nCookie: {cookies}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        // What comes is short, and there are many of these.
        Ok(Self(BufReader::with_capacity(512, stream)))
    }

    /// The next event, or `None` at the end.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub async fn event(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).await?;
            let line = line.trim_end();
            // The last chunk is an empty one (RFC 9112, section 7.1); the connection stays open.
            if read == 0 || line == "0" {
                return Ok(None);
            }
            match line.strip_prefix("event: ") {
                // A sign of life says nothing of the login.
                None | Some("alive") => {}
                Some(event) => return Ok(Some(event.to_owned())),
            }
        }
    }
}
