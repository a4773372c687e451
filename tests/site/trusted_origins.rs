//! Pages of another origin that the site trusts, and all that it does not.

use axum::{Router, http::Method, response::Redirect, routing::post};
use axum_clef::{BuildError, LogInError, NewLogin};

use crate::support::{Jar, World};

const SITE: &str = "https://api.example.com";
const APP: &str = "https://app.example.com";

/// A form of the application's own.
async fn log_in(login: NewLogin) -> Result<Redirect, LogInError> {
    login.begin("1").await
}

fn app(world: &World, origins: &[&str]) -> Router {
    let builder = world.builder_at(SITE, world.stored());
    let builder = origins
        .iter()
        .fold(builder, |builder, origin| builder.trusted_origin(*origin));
    let layer = builder.build().unwrap();
    let log_in = Router::new().route("/log-in", post(log_in));
    world.pages(layer.routes()).merge(log_in).layer(layer)
}

/// The status of what a page of this origin sends.
async fn sent(jar: &mut Jar, app: &Router, path: &str, headers: &[(&'static str, &str)]) -> u16 {
    let response = jar.send_with(app, (Method::POST, path), headers).await;
    response.status().as_u16()
}

#[tokio::test]
async fn pages_of_a_trusted_origin_may_send_what_own_pages_may() {
    let world = World::new();
    let from_app = [("origin", APP), ("sec-fetch-site", "same-site")];
    for (trusted, statuses) in [
        (&[][..], [403, 403, 403, 400]),
        (&[APP, "https://example.com:8443"], [200, 303, 303, 200]),
    ] {
        let app = app(&world, trusted);
        for (path, status) in ["/same-origin", "/log-in", "/auth/sign-out", "/clef/login"]
            .into_iter()
            .zip(statuses)
        {
            let mut jar = Jar::logged_in(&app, "12345").await;
            assert_eq!(
                sent(&mut jar, &app, path, &from_app).await,
                status,
                "{path}"
            );
            let without_fetch = &from_app[..1];
            let mut jar = Jar::logged_in(&app, "12345").await;
            assert_eq!(
                sent(&mut jar, &app, path, without_fetch).await,
                status,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn no_other_origin_gains_from_it() {
    let world = World::new();
    let app = app(&world, &[APP]);
    let mut jar = Jar::logged_in(&app, "12345").await;
    let (origin, fetch) = ("origin", "sec-fetch-site");
    for headers in [
        &[(origin, "https://evil.example.com"), (fetch, "same-site")][..],
        &[(origin, "http://app.example.com"), (fetch, "same-site")],
        &[(origin, "https://app.example.com:8443")],
        &[(origin, "https://app.example.com.evil.example")],
        // A redirect through another origin on the way.
        &[(origin, "null"), (fetch, "same-site")],
        // A page whose origin is not said may be any of the domain.
        &[(fetch, "same-site")],
        &[(origin, APP), (fetch, "cross-site")],
        &[(origin, APP), (origin, "https://evil.example.com")],
        &[(origin, APP), (fetch, "same-site"), (fetch, "cross-site")],
    ] {
        let status = sent(&mut jar, &app, "/same-origin", headers).await;
        assert_eq!(status, 403, "{headers:?}");
    }
    for headers in [&[(origin, SITE), (fetch, "same-origin")][..], &[]] {
        let status = sent(&mut jar, &app, "/same-origin", headers).await;
        assert_eq!(status, 200, "{headers:?}");
    }
}

#[test]
fn a_trusted_origin_is_another_one_of_the_domain() {
    let world = World::new();
    let error = |site: &str, origins: &[&str]| {
        let builder = world.builder_at(site, world.stored());
        let add = |builder: axum_clef::ClefLayerBuilder<_>, origin: &&str| {
            builder.trusted_origin(*origin)
        };
        origins.iter().fold(builder, add).build().err()
    };
    for (site, origin) in [
        (SITE, APP),
        (SITE, "https://app.example.com/"),
        (SITE, "https://example.com"),
        (SITE, "https://api.example.com:8443"),
        ("https://example.com/app", "https://www.example.com"),
        ("http://localhost:3000", "http://localhost:5173"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:5173"),
    ] {
        assert_eq!(error(site, &[origin]), None, "{origin} at {site}");
    }
    for (site, origin) in [
        (SITE, ""),
        (SITE, "*"),
        (SITE, "null"),
        (SITE, "app.example.com"),
        (SITE, "https://*.example.com"),
        (SITE, "https://app.example.com/shop"),
        (SITE, "https://app.example.com?a=b"),
        (SITE, "https://user@app.example.com"),
        // The login's cookie is kept back: the site trusts a page in vain.
        (SITE, "http://app.example.com"),
        (SITE, "http://localhost:5173"),
        (SITE, "https://app.example.org"),
        (SITE, "https://com"),
        ("http://localhost:3000", "http://127.0.0.1:5173"),
        ("http://localhost:3000", "http://app.localhost:3000"),
        ("https://192.0.2.1", "https://192.0.2.2"),
        // It needs no trust.
        (SITE, SITE),
        (SITE, "https://api.example.com:443"),
    ] {
        let wrong = BuildError::TrustedOrigin(origin.to_owned());
        assert_eq!(error(site, &[origin]), Some(wrong), "{origin} at {site}");
    }
    let twice = error(SITE, &[APP, APP]).unwrap().to_string();
    for word in [
        "`trusted_origin`",
        APP,
        "write scheme, host and port",
        "once",
    ] {
        assert!(twice.contains(word), "{word}: {twice}");
    }
}
