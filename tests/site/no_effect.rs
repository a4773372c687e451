//! Settings that would have no effect: an error of `build` that names the setting.

use axum_clef::{AdmissionLimits, BuildError, ClefLayer, ClefLayerBuilder};

use crate::support::{TestUsers, World};

type Builder = ClefLayerBuilder<TestUsers>;
type Setting = fn(Builder) -> Builder;

fn limits() -> AdmissionLimits {
    AdmissionLimits::default()
}

#[test]
fn a_setting_for_providers_needs_one() {
    let of_notices = BuildError::NoLogoutEndpoint as fn(&'static str) -> BuildError;
    let of_logins = BuildError::NoProvider as fn(&'static str) -> BuildError;
    let settings: [(&str, _, Setting); 4] = [
        ("notice_limits", of_notices, |b| b.notice_limits(limits())),
        ("login_limits", of_logins, |b| b.login_limits(limits())),
        ("client_address", of_notices, |b| b.client_address(|_| None)),
        ("login_timeout", of_logins, |b| {
            b.login_timeout(std::time::Duration::from_secs(60))
        }),
    ];
    let world = World::new();
    for (name, error_of, set) in settings {
        let builder = ClefLayer::builder(World::SITE, world.users.clone(), world.stored());
        let error = set(builder.login_page("/log-in")).build().unwrap_err();
        assert_eq!(error, error_of(name));
        assert!(error.to_string().contains(name), "{error}");
        assert!(set(world.builder()).build().is_ok(), "{name}");
    }
}

/// All other settings take effect at a site without a provider; `no_provider` shows some of them.
#[test]
fn a_site_needs_no_provider() {
    let settings: [Setting; 16] = [
        |b| b.sign_out_path("/bye"),
        |b| b.after_sign_out("/goodbye"),
        |b| b.sign_out_everywhere(),
        |b| b.cookie_name("shop"),
        |b| b.cookie_domain("example.com"),
        |b| b.idle_expiry(std::time::Duration::from_secs(60)),
        |b| b.lifetime(std::time::Duration::from_secs(60)),
        |b| b.render_rejections(|rejection| rejection.default_response()),
        |b| b.render_login_failures(|_| axum::response::Response::default()),
        |b| b.on_login(async |_, _| Ok(())),
        |b| b.on_sign_out(async |_, _| Ok(())),
        |b| b.pending_logout_limit(1),
        |b| b.live_path("/open"),
        |b| b.live_interval(std::time::Duration::from_secs(60)),
        |b| b.most_live_pages(100_000),
        |b| {
            b.most_live_pages_per_user(1_000)
                .most_live_pages_per_login(1_000)
        },
    ];
    let world = World::new();
    for set in settings {
        let site = "https://www.example.com";
        let builder = ClefLayer::builder(site, world.users.clone(), world.stored());
        assert!(set(builder.login_page("/log-in")).build().is_ok());
    }
}

#[test]
fn a_base_path_that_is_stripped_is_one_of_the_site() {
    let world = World::new();
    for (site, error) in [
        ("https://example.com", Some(BuildError::NoBasePath)),
        ("https://example.com/", Some(BuildError::NoBasePath)),
        ("https://example.com/app", None),
    ] {
        let builder = world.builder_at(site, world.stored());
        assert_eq!(builder.base_path_stripped().build().err(), error, "{site}");
    }
}

#[test]
fn a_limit_can_be_reached() {
    let settings: [(&str, Setting); 6] = [
        ("most_live_pages_per_login", |b| {
            b.most_live_pages_per_login(65)
        }),
        ("most_live_pages_per_login", |b| {
            b.most_live_pages_per_login(9).most_live_pages_per_user(8)
        }),
        ("most_live_pages_per_user", |b| {
            b.most_live_pages_per_user(20_001)
        }),
        ("most_live_pages_per_user", |b| {
            b.most_live_pages(7).most_live_pages_per_user(8)
        }),
        ("concurrency_per_client", |b| {
            b.login_limits(limits().concurrency_per_client(65))
        }),
        ("concurrency_per_client", |b| {
            b.notice_limits(limits().concurrency(4).concurrency_per_client(5))
        }),
    ];
    let world = World::new();
    for (name, set) in settings {
        let error = set(world.builder()).build().unwrap_err();
        assert!(matches!(error, BuildError::NeverReached(..)), "{name}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let reached: [Setting; 4] = [
        |b| b.most_live_pages_per_login(64),
        |b| b.most_live_pages(8).most_live_pages_per_user(8),
        // The defaults of the others give way.
        |b| b.most_live_pages(1),
        |b| b.login_limits(limits().concurrency_per_client(64)),
    ];
    for set in reached {
        assert_eq!(set(world.builder()).build().err(), None);
    }
}
