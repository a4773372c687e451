//! The client address of a request, for fair admission.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{extract::ConnectInfo, http::request::Parts};

type Find = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// Finds the client address of a request.
#[derive(Clone)]
pub(crate) struct ClientAddress {
    find: Arc<Find>,
    /// Whether a request has been examined, so that a missing address is logged once.
    was_used: Arc<AtomicBool>,
}

impl ClientAddress {
    pub(crate) fn new(find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self {
            find: Arc::new(find),
            was_used: Arc::default(),
        }
    }

    /// The client address. Logs a warning if the first request has none.
    pub(super) fn of(&self, parts: &Parts) -> Option<IpAddr> {
        let address = (self.find)(parts).map(|address| address.to_canonical());
        let is_first = !self.was_used.swap(true, Ordering::Relaxed);
        if is_first && address.is_none() {
            tracing::warn!(
                "the client address is unknown, so all clients share one quota: serve \
                 `app.into_make_service_with_connect_info::<SocketAddr>()`, or set \
                 `client_address` on the builder behind a proxy"
            );
        }
        address
    }
}

impl Default for ClientAddress {
    /// The peer of the connection, if the server provides it.
    fn default() -> Self {
        Self::new(|parts| {
            let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(peer.ip())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_on_a_dual_stack_socket_is_that_address() {
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        let peer: SocketAddr = "[::ffff:10.0.0.1]:4321".parse().unwrap();
        parts.extensions.insert(ConnectInfo(peer));
        let address = ClientAddress::default().of(&parts);
        assert_eq!(address, Some(IpAddr::from([10, 0, 0, 1])));
    }
}
