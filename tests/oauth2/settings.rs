//! Settings that cannot work.

use axum_clef::{
    AddressError, Profile, Subject,
    clef::Clef,
    oauth2::{OAuth2, OAuth2Endpoints, OAuth2Error, UserInfo},
    provider::Provider,
};
use test_support::{Jar, log};

use crate::{provider::TestProvider, site::Site};

const ENDPOINTS: OAuth2Endpoints<'_> = OAuth2Endpoints {
    issuer: "https://id.example",
    authorization: "https://id.example/authorize",
    token: "https://id.example/token",
    user_info: &["https://api.id.example/user"],
};

fn client(endpoints: OAuth2Endpoints<'_>) -> Result<OAuth2, OAuth2Error> {
    OAuth2::new(endpoints, "id", "secret", |info| info.profile("id"))
}

#[test]
fn urls_that_would_leak_secrets_are_refused() {
    assert!(client(ENDPOINTS).is_ok());
    for (url, why) in [
        ("", AddressError::NotAbsolute),
        ("/user", AddressError::NotAbsolute),
        ("ftp://id.example", AddressError::NotHttp),
        ("http://id.example/token", AddressError::Insecure),
        ("https://alex:secret@id.example", AddressError::NotPlain),
        ("https://id.example/#top", AddressError::NotPlain),
    ] {
        for endpoints in [
            OAuth2Endpoints {
                issuer: url,
                ..ENDPOINTS
            },
            OAuth2Endpoints {
                authorization: url,
                ..ENDPOINTS
            },
            OAuth2Endpoints {
                token: url,
                ..ENDPOINTS
            },
            OAuth2Endpoints {
                user_info: &[ENDPOINTS.user_info[0], url],
                ..ENDPOINTS
            },
        ] {
            match client(endpoints) {
                Err(OAuth2Error::Address { reason, .. }) => assert_eq!(reason, why, "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
        match client(ENDPOINTS).unwrap().callback_issuer(url) {
            Err(OAuth2Error::Address { name, reason }) => {
                assert_eq!((name, reason), ("callback_issuer", why), "{url}");
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    let url = ENDPOINTS.user_info[0];
    for user_info in [&[][..], &[url; 4]] {
        let refused = client(OAuth2Endpoints {
            user_info,
            ..ENDPOINTS
        });
        assert!(matches!(refused, Err(OAuth2Error::UserInfoUrls)));
    }
}

#[test]
fn parameters_of_the_flow_cannot_be_replaced() {
    for name in [
        "state",
        "redirect_uri",
        "code_challenge",
        "scope",
        "client_id",
    ] {
        let client = client(ENDPOINTS).unwrap();
        let refused = client.authorization_parameter(name, "x");
        assert!(
            matches!(refused, Err(OAuth2Error::ParameterTaken)),
            "{name}"
        );
    }
}

/// A login lasts at most 30 days where sessions have names.
#[test]
fn a_provider_names_no_sessions_by_default() {
    let oauth2 = client(ENDPOINTS).unwrap();
    let clef = Clef::new("https://clef.example", "id", "secret").unwrap();
    for provider in [&oauth2 as &dyn Provider, &clef] {
        assert!(!provider.names_sessions(), "{}", provider.name());
        assert!(!provider.logs_out_session_users(), "{}", provider.name());
    }
}

/// A function that creates subjects of another provider would log in as that one's users.
#[tokio::test]
async fn a_profile_of_another_issuer_is_refused() {
    fn elsewhere(_: &UserInfo<'_>) -> Result<Profile, axum_clef::BoxError> {
        Ok(Profile::new(Subject::new("https://other.example", "1")))
    }
    fn nameless(info: &UserInfo<'_>) -> Result<Profile, axum_clef::BoxError> {
        let issuer = info.profile("id")?.subject.issuer().to_owned();
        Ok(Profile::new(Subject::new(issuer, "")))
    }
    for read_profile in [elsewhere, nameless] {
        let provider = TestProvider::start().await;
        let endpoints = OAuth2Endpoints {
            issuer: &provider.issuer,
            authorization: &provider.url("/authorize?tenant=1"),
            token: &provider.url("/token"),
            user_info: &[&provider.url("/api/user")],
        };
        let (id, secret) = (crate::provider::CLIENT_ID, crate::provider::CLIENT_SECRET);
        let client = OAuth2::new(endpoints, id, secret, read_profile).unwrap();
        let mut site = Site::with(|_| client.clone()).await;
        site.provider = provider;
        log::listen();
        assert_eq!(site.log_in(&mut Jar::default()).await.status(), 500);
        let events = log::events().join("\n");
        assert!(events.contains("not one of this provider"), "{events}");
    }
}
