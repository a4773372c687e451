use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, StatusCode, header};
use url::{Host, Url};

use super::{loopback::is_loopback, pages, service::Service};

/// Refuses requests to a host that is not this machine.
///
/// A page of the outside whose name suddenly leads to 127.0.0.1 could log in as anybody here: for
/// its browser it would be the same site. The name that it uses gives it away.
pub(super) async fn refuse_other_hosts(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let welcome = service.settings().any_host
        || base_url(request.headers())
            .and_then(|url| url.host().map(|host| is_loopback(&host)))
            .unwrap_or_default();
    if welcome {
        next.run(request).await
    } else {
        pages::refusal(
            StatusCode::FORBIDDEN,
            "Only on this machine.",
            "Ask for localhost or 127.0.0.1: this Clef service answers to no other name.",
        )
    }
}

/// The service as the caller names it.
pub(super) fn base_url(headers: &HeaderMap) -> Option<Url> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let url = Url::parse(&format!("http://{host}")).ok()?;
    let bare = url.path() == "/"
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host() != Some(Host::Domain(""));
    bare.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_host() {
        let base = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            base_url(&headers).map(|url| url.to_string())
        };
        assert_eq!(
            base("localhost:5050").as_deref(),
            Some("http://localhost:5050/")
        );
        assert_eq!(base("[::1]:1").as_deref(), Some("http://[::1]:1/"));
        for odd in [
            "",
            "a/b",
            "a@localhost",
            "localhost?",
            "localhost#",
            "a b",
            ":1",
        ] {
            assert_eq!(base(odd), None, "{odd}");
        }
        assert_eq!(base_url(&HeaderMap::new()), None);
    }
}
