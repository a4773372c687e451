//! The client address of a request, by which admission is fair.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{extract::ConnectInfo, http::request::Parts};

/// The bits of an IPv6 address that name a network. A host often has all addresses below it.
const NETWORK: u128 = !0 << 64;

/// How an application finds the client address of a request.
type Find = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// Finds the client address of a request.
#[derive(Clone)]
pub(crate) struct ClientAddress {
    find: Arc<Find>,
    /// Whether a request has been looked at.
    looked: Arc<AtomicBool>,
}

/// The clients that share their places: one IPv4 address, one IPv6 network of 64 bits, or all
/// whose address is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Client(Option<IpAddr>);

impl ClientAddress {
    pub(crate) fn new(find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self {
            find: Arc::new(find),
            looked: Arc::default(),
        }
    }

    /// The client address. Without one, the first request is logged.
    pub(super) fn of(&self, parts: &Parts) -> Option<IpAddr> {
        let address = (self.find)(parts).map(|address| address.to_canonical());
        let is_first = !self.looked.swap(true, Ordering::Relaxed);
        if is_first && address.is_none() {
            tracing::warn!(
                "the client address is unknown, so all clients share one quota: serve \
                 `app.into_make_service_with_connect_info::<SocketAddr>()`, or set \
                 `ClefLayer::client_address` behind a proxy"
            );
        }
        address
    }
}

impl Default for ClientAddress {
    /// The peer of the connection, if the server makes it known.
    fn default() -> Self {
        Self::new(|parts| {
            let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(peer.ip())
        })
    }
}

impl Client {
    pub(super) fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
            address => address,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_network_are_one_client() {
        let client = |text: &str| Client::of(Some(text.parse().unwrap()));
        assert_eq!(client("2001:db8:0:1::1"), client("2001:db8:0:1:ffff::2"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8:0:2::1"));
        assert_ne!(client("10.0.0.1"), client("10.0.0.2"));
        assert_ne!(client("10.0.0.1"), Client::of(None));
    }

    #[test]
    fn an_ipv4_address_on_a_dual_stack_socket_is_that_address() {
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        let peer: SocketAddr = "[::ffff:10.0.0.1]:4321".parse().unwrap();
        parts.extensions.insert(ConnectInfo(peer));
        let address = ClientAddress::default().of(&parts);
        assert_eq!(address, Some(IpAddr::from([10, 0, 0, 1])));
    }
}
