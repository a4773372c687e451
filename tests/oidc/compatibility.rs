//! What the start of the application says about provider, settings and site.

use std::error::Error as _;

use axum_clef::{
    BuildError, ClefLayer,
    oidc::{ClientAuthentication, Oidc, OidcError, SigningAlgorithm},
    stores::MemoryUserStore,
};
use serde_json::{Value, json};
use test_support::SubjectsAlone;
use tower_sessions::MemoryStore;

use crate::support::{ALEX, Browser, CLIENT_ID, CLIENT_SECRET, EC, OpenIdProvider, Site, log};

async fn discover(provider: &OpenIdProvider) -> Oidc {
    let found = Oidc::discover(&*provider.issuer, CLIENT_ID, CLIENT_SECRET);
    found.await.unwrap()
}

fn build(client: Oidc) -> Result<ClefLayer, BuildError> {
    let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    let layer = ClefLayer::builder(Site::ADDRESS, users, sessions);
    layer.provider(client).build()
}

#[tokio::test]
async fn what_no_login_can_work_with_is_an_error_that_names_the_setting() {
    let algorithms = |names: Value| json!({ "id_token_signing_alg_values_supported": names });
    let methods = |names: Value| json!({ "token_endpoint_auth_methods_supported": names });
    for (metadata, keys, words) in [
        (json!({}), None, None),
        (algorithms(json!(["RS256", "ES256"])), None, None),
        (algorithms(json!([])), None, None),
        (algorithms(json!("RS256")), None, None),
        (
            algorithms(json!(["EdDSA"])),
            None,
            Some("SigningAlgorithm::EdDsa"),
        ),
        (
            algorithms(json!(["HS256", "Ed25519"])),
            None,
            Some("SigningAlgorithm::EdDsa"),
        ),
        (
            algorithms(json!(["HS256"])),
            None,
            Some("register the application there with RS256"),
        ),
        (
            json!({}),
            Some(json!([EC.jwk()])),
            Some("SigningAlgorithm::Es256"),
        ),
        (json!({}), Some(json!([])), None),
        (methods(json!(["client_secret_post"])), None, None),
        (
            methods(json!(["private_key_jwt"])),
            None,
            Some("Oidc::client_authentication"),
        ),
    ] {
        let provider = OpenIdProvider::start().await;
        provider.script().metadata = metadata.clone();
        if let Some(keys) = keys {
            provider.script().keys = keys;
        }
        let error = build(discover(&provider).await).err();
        match (&error, words) {
            (None, None) => {}
            (Some(BuildError::Provider { error: inner, .. }), Some(words)) => {
                let text = error.as_ref().unwrap().to_string();
                assert_eq!(text.matches(words).count(), 1, "{text}");
                let inner = inner.source().unwrap().downcast_ref::<OidcError>();
                assert!(inner.is_some(), "{metadata}");
            }
            _ => panic!("{metadata}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn the_setting_that_is_named_mends_it() {
    let provider = OpenIdProvider::start().await;
    provider.script().metadata = json!({
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    });
    let client = discover(&provider).await;
    let client = client.signing_algorithm(SigningAlgorithm::EdDsa);
    assert!(build(client.clone()).is_err());
    assert!(build(client.client_authentication(ClientAuthentication::Post)).is_ok());
}

#[tokio::test]
async fn without_discovery_the_first_login_says_so() {
    let site = Site::start().await;
    site.provider.script().metadata = json!({ "id_token_signing_alg_values_supported": ["EdDSA"] });
    let node = site.node().await;
    log::listen();
    let response = Browser::new().get(&node, "/clef/login").await;
    assert_eq!(response.status(), 500);
    let events = log::events("ERROR");
    assert!(events[0].contains("SigningAlgorithm::EdDsa"), "{events:?}");
}

#[tokio::test]
async fn the_keys_are_known_before_the_first_notice() {
    let site = Site::start().await;
    let client = discover(&site.provider).await;
    let script = |site: &Site| {
        let script = site.provider.script();
        (script.metadata_fetches, script.key_fetches)
    };
    assert_eq!(script(&site), (1, 1));
    let node = site.node_with(client).await;
    site.provider.script().down = true;
    let token = site.provider.logout_token(ALEX);
    assert_eq!(node.notice(&token).await.status, 200);
    assert_eq!(script(&site), (1, 1));
}

#[tokio::test]
async fn build_says_when_the_store_notes_no_sessions_for_the_whole_person() {
    let site = Site::start().await;
    site.provider.script().metadata = json!({ "backchannel_logout_supported": true });
    let client = discover(&site.provider).await.log_out_whole_person();
    log::listen();
    assert!(build(client.clone()).is_ok());
    assert_eq!(log::events("WARN"), [""; 0], "users in memory note them");
    let (users, sessions) = (SubjectsAlone::default(), MemoryStore::default());
    let layer = ClefLayer::builder(Site::ADDRESS, users, sessions);
    assert!(layer.provider(client).build().is_ok());
    let events = log::events("WARN");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].contains("`IdentityStore::notes_sessions`"),
        "{events:?}"
    );
}

#[tokio::test]
async fn what_may_not_work_is_a_warning_with_the_setting() {
    for (metadata, setting) in [
        (json!({ "backchannel_logout_supported": true }), None),
        (
            json!({ "backchannel_logout_supported": false }),
            Some("`ClefLayerBuilder::lifetime`"),
        ),
        (json!({}), Some("`ClefLayerBuilder::lifetime`")),
        (
            json!({
                "backchannel_logout_supported": true,
                "scopes_supported": ["openid", "profile"],
            }),
            Some("`Oidc::scopes`"),
        ),
    ] {
        let provider = OpenIdProvider::start().await;
        provider.script().metadata = metadata.clone();
        let client = discover(&provider).await;
        log::listen();
        assert!(build(client).is_ok());
        let events = log::events("WARN");
        assert_eq!(events.len(), usize::from(setting.is_some()), "{events:?}");
        if let Some(setting) = setting {
            assert!(events[0].contains(setting), "{events:?}");
        }
    }
}
