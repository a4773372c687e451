//! How often a client may try to log in. Other examples have it too.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::request::Parts,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::HashMapStateStore,
};

use crate::{Problem, Site};

/// How often a client may try at once, and how often again each minute.
pub const MOST_ATTEMPTS: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Counts the attempts of each client.
///
/// It counts per client and not per account: counting per account would let anyone lock a member
/// out. A crowd of clients can therefore guess at one account, each of them ten times a minute. The
/// least length of a password, a code or a token is for them.
pub struct Attempts {
    /// Clients share 65,536 counters, so that no crowd of addresses fills the memory.
    limiter: RateLimiter<u16, HashMapStateStore<u16>, DefaultClock>,
    /// With keys of its own, so that no client can pick an address with the counter of another one.
    counters: RandomState,
}

impl Attempts {
    fn counter(&self, client: IpAddr) -> u16 {
        let [low, high, ..] = self.counters.hash_one(network(client)).to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Counts an attempt, unless there were too many: then how long the client waits.
    fn count(&self, client: IpAddr) -> Result<(), Duration> {
        let counted = self.limiter.check_key(&self.counter(client));
        counted.map_err(|not_until| not_until.wait_time_from(self.limiter.clock().now()))
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            limiter: RateLimiter::hashmap(Quota::per_minute(MOST_ATTEMPTS)),
            counters: RandomState::new(),
        }
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Attempts").finish_non_exhaustive()
    }
}

/// The addresses of one client: an IPv6 client has 2⁶⁴ of them.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

/// One attempt of a client. A handler that verifies or hashes a password, or does other work for
/// anyone, takes it as an argument, after what costs less to refuse; above the limit, it does not
/// run.
///
/// Behind a reverse proxy, read the address from the header that the proxy sets instead, or all
/// clients are one.
#[derive(Debug)]
pub struct Attempt;

impl<S> FromRequestParts<S> for Attempt
where
    S: Sync,
    Site: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Some(ConnectInfo(client)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Err(Problem::Failed(
                "serve with `into_make_service_with_connect_info::<SocketAddr>()`".into(),
            ));
        };
        let counted = Site::from_ref(state).attempts.count(client.ip());
        counted.map_err(Problem::TooManyAttempts)?;
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_attempts() {
        let attempts = Attempts::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..MOST_ATTEMPTS.get() {
            assert_eq!(attempts.count(address("192.0.2.1")), Ok(()));
        }
        let wait = attempts.count(address("192.0.2.1")).unwrap_err();
        assert!(wait <= Duration::from_secs(6), "{wait:?}");
        assert!(attempts.count(address("::ffff:192.0.2.1")).is_err());
        // One of them may have the same counter.
        let others = ["192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8:0:1::1"];
        assert!(
            others
                .iter()
                .any(|other| attempts.count(address(other)).is_ok())
        );
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let attempts = Attempts::default();
        let counter = |text: &str| attempts.counter(text.parse().unwrap());
        assert_eq!(counter("2001:db8:0:1::1"), counter("2001:db8:0:1:2:3:4:5"));
    }
}
