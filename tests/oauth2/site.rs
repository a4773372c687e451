use axum::{Router, body::Body, http::Response};
use axum_clef::{ClefLayer, oauth2::OAuth2};
use test_support::{Jar, World, location};

use crate::provider::TestProvider;

/// A site with a provider.
pub struct Site {
    pub world: World,
    pub provider: TestProvider,
    pub app: Router,
}

impl Site {
    pub async fn start() -> Self {
        Self::with(|client| client).await
    }

    /// A site with these settings.
    pub async fn with(settings: impl Fn(OAuth2) -> OAuth2) -> Self {
        let (world, provider) = (World::new(), TestProvider::start().await);
        let (users, sessions) = (world.users.clone(), world.stored());
        let layer = ClefLayer::builder(World::SITE, users, sessions);
        let layer = layer.provider(settings(provider.client())).build();
        let app = world.app(&layer.unwrap());
        Self {
            world,
            provider,
            app,
        }
    }

    /// Begins a login: the way back from the provider.
    pub async fn begin(&self, jar: &mut Jar) -> String {
        let response = jar.get(&self.app, "/clef/login?next=/account").await;
        assert_eq!(response.status(), 303);
        let (code, query) = self.provider.approve(location(&response));
        format!("/clef/callback?code={code}&state={}", query["state"])
    }

    /// A whole login, up to the answer of the callback.
    pub async fn log_in(&self, jar: &mut Jar) -> Response<Body> {
        let callback = self.begin(jar).await;
        jar.get(&self.app, &callback).await
    }
}
