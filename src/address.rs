//! URLs that are safe for logins and secrets.

#[cfg(any(feature = "oidc", feature = "security-events"))]
use std::net::IpAddr;

use url::{Host, Url};

/// The error of a URL that is not valid for a site or a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is not an absolute URL.
    #[error("not an absolute URL: write it like `https://example.com`")]
    NotAbsolute,
    /// Its scheme is neither `https` nor `http`.
    #[error("the scheme is neither `https` nor `http`: write `https://`")]
    NotHttp,
    /// It is plain `http` to another machine.
    #[error(
        "plain `http` is for loopback addresses only, since logins would be sent unencrypted: write \
         `https://`"
    )]
    Insecure,
    /// It has a user name, a password, a query or a fragment.
    #[error("leave out user name, password, query and fragment")]
    NotPlain,
    /// Its path has `//`, which begins another host.
    #[error("the path has an empty segment: write `/` once")]
    EmptySegment,
    /// It has a path where only an origin is allowed.
    #[error("leave out the path: give scheme, host and port only")]
    HasPath,
}

/// Parses a base URL: `https`, or `http` to loopback, without a query.
pub(crate) fn base_url(text: &str) -> Result<Url, AddressError> {
    match endpoint(text)? {
        url if url.query().is_none() => Ok(url),
        _ => Err(AddressError::NotPlain),
    }
}

/// Like [`base_url`], but with an optional query.
pub(crate) fn endpoint(text: &str) -> Result<Url, AddressError> {
    let url = Url::parse(text).map_err(|_| AddressError::NotAbsolute)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(AddressError::Insecure),
        _ => return Err(AddressError::NotHttp),
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if plain {
        Ok(url)
    } else {
        Err(AddressError::NotPlain)
    }
}

/// Whether the host is a loopback address, or a name that [`is_localhost`].
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a name is always loopback (RFC 6761, section 6.3): `localhost` or a name under it.
/// [`calls::client`](crate::calls::client) resolves these without a name server.
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let parent = name.rsplit('.').next().unwrap_or_default();
    parent.eq_ignore_ascii_case("localhost")
}

/// Whether a connection to the host stays on this machine. Includes addresses that only some
/// systems route to loopback, such as `0.0.0.0` or `::ffff:127.0.0.1`, since it is used to reject
/// URLs.
#[cfg(any(feature = "oidc", feature = "security-events"))]
pub(crate) fn leads_to_loopback(url: &Url) -> bool {
    let stays = |address: IpAddr| {
        let address = address.to_canonical();
        address.is_loopback() || address.is_unspecified()
    };
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => stays(address.into()),
        Some(Host::Ipv6(address)) => stays(address.into()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_this_machine_only() {
        for good in [
            "https://example.com",
            "https://example.com:8443/clef",
            "http://127.0.0.1:3000",
            "http://localhost:3000",
            "http://site.localhost",
            "http://site.LOCALHOST.:3000",
            "http://[::1]:3000",
        ] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("example.com", AddressError::NotAbsolute),
            ("/", AddressError::NotAbsolute),
            ("ftp://example.com", AddressError::NotHttp),
            ("http://example.com", AddressError::Insecure),
            ("http://localhost.example.com", AddressError::Insecure),
            ("http://notlocalhost", AddressError::Insecure),
            ("http://localhost..", AddressError::Insecure),
            ("http://0.0.0.0", AddressError::Insecure),
            ("http://[::ffff:127.0.0.1]", AddressError::Insecure),
            ("http://192.168.1.2", AddressError::Insecure),
            ("https://alex:secret@example.com", AddressError::NotPlain),
            ("https://example.com/?page=1", AddressError::NotPlain),
            ("https://example.com/#top", AddressError::NotPlain),
        ] {
            assert_eq!(base_url(bad), Err(why), "{bad}");
        }
        assert!(endpoint("https://example.com/?page=1").is_ok());
        assert_eq!(
            endpoint("https://example.com/?page=1#top"),
            Err(AddressError::NotPlain)
        );
    }
}
