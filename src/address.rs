//! Addresses that logins and secrets may travel to.

use url::{Host, Url};

/// Why an address cannot be that of a site or of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is not an absolute URL.
    #[error("not an absolute URL: write it like `https://example.com`")]
    NotAbsolute,
    /// Its scheme is neither `https` nor `http`.
    #[error("the scheme is neither `https` nor `http`")]
    NotHttp,
    /// It is plain `http` to another machine.
    #[error("plain `http` is for loopback addresses only: logins would travel in the clear")]
    Insecure,
    /// It carries a user name, a password, a query or a fragment.
    #[error("leave out user name, password, query and fragment")]
    NotPlain,
    /// It has a path where only an origin is asked for.
    #[error("leave out the path: give scheme, host and port only")]
    HasPath,
}

/// A URL to build others upon: `https`, or `http` on this machine.
pub(crate) fn base_url(text: &str) -> Result<Url, AddressError> {
    match endpoint(text)? {
        url if url.query().is_none() => Ok(url),
        _ => Err(AddressError::NotPlain),
    }
}

/// As [`base_url`], and it may have a query, which stays.
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

/// Whether the host is this machine by its very name, without asking anyone.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
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
