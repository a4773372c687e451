use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::Host;

/// Whether a host is this machine, whatever a name server says.
pub(super) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Resolves every name at and under `localhost` to this machine, and the domains of applications
/// on other machines as the system does.
pub(super) struct LoopbackFirst;

impl Resolve for LoopbackFirst {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0 stands for the port of the URL.
            let addresses: Vec<SocketAddr> = if is_loopback(&Host::Domain(name.as_str())) {
                vec![
                    ([127, 0, 0, 1], 0).into(),
                    ([0, 0, 0, 0, 0, 0, 0, 1], 0).into(),
                ]
            } else {
                lookup_host((name.as_str(), 0)).await?.collect()
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
