//! The ways on which a logout reaches the site.

use axum_clef::{
    BoxError, ClefLayerBuilder, IdentityStore, oidc::Oidc, security_events::EventReceiver,
};
use reqwest::{Client, RequestBuilder};
use serde_json::json;
use test_support::{Issuer, World};

/// The audience of the events.
const AUDIENCE: &str = "the cluster";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// The webhook of a provider that confirms each token.
    Webhook,
    /// OpenID Connect Back-Channel Logout.
    BackChannel,
    /// OpenID Connect Front-Channel Logout.
    FrontChannel,
    /// Okta's Universal Logout.
    TokenRevocation,
    /// A security event: `session-revoked`.
    SecurityEvent,
    /// A handler of the application.
    Application,
}

impl Wire {
    pub const ALL: [Self; 6] = [
        Self::Webhook,
        Self::BackChannel,
        Self::FrontChannel,
        Self::TokenRevocation,
        Self::SecurityEvent,
        Self::Application,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::BackChannel => "back-channel",
            Self::FrontChannel => "front-channel",
            Self::TokenRevocation => "token-revocation",
            Self::SecurityEvent => "security-event",
            Self::Application => "application",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Webhook => "/clef/logout",
            Self::BackChannel => "/back-channel",
            Self::FrontChannel => "/front-channel",
            Self::TokenRevocation => "/token-revocation",
            Self::SecurityEvent => "/events",
            Self::Application => "/log-out",
        }
    }

    /// The notice that ends all logins of a person, to the node at this URL. All are in one session at the
    /// provider, so the front channel ends them too.
    pub fn notice(
        self,
        http: &Client,
        issuer: &Issuer,
        node: &str,
        (person, number): (usize, u64),
    ) -> RequestBuilder {
        let url = format!("{node}{}", self.path());
        let id = number.to_string();
        let subject = json!({ "format": "iss_sub", "iss": issuer.url, "sub": person.to_string() });
        match self {
            Self::Webhook => http
                .post(url)
                .form(&[("logout_token", format!("token:{person}:{number}"))]),
            Self::BackChannel => {
                let event = "http://schemas.openid.net/event/backchannel-logout";
                let claims = json!({
                    "aud": Issuer::CLIENT_ID, "sub": person.to_string(), "events": { event: {} },
                });
                let token = issuer.token("logout+jwt", &id, &claims);
                http.post(url).form(&[("logout_token", token)])
            }
            Self::FrontChannel => {
                let sid = person.to_string();
                http.get(url).query(&[("iss", &issuer.url), ("sid", &sid)])
            }
            Self::TokenRevocation => {
                let audience = format!("{}{}", World::SITE, self.path());
                let claims = json!({ "aud": audience, "sub": Issuer::CLIENT_ID });
                let token = issuer.token("global-token-revocation+jwt", &id, &claims);
                http.post(url)
                    .bearer_auth(token)
                    .json(&json!({ "sub_id": subject }))
            }
            Self::SecurityEvent => {
                let event = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
                let claims = json!({
                    "aud": AUDIENCE, "sub_id": subject, "events": { event: {} },
                });
                http.post(url)
                    .header("content-type", "application/secevent+jwt")
                    .body(issuer.token("secevent+jwt", &id, &claims))
            }
            Self::Application => http.post(format!("{url}/{person}")),
        }
    }
}

/// Mounts the endpoints of the provider.
///
/// # Errors
///
/// When the provider cannot be reached.
pub async fn mount<S: IdentityStore>(
    layer: ClefLayerBuilder<S>,
    issuer: &str,
) -> Result<ClefLayerBuilder<S>, BoxError> {
    let openid = Oidc::discover(issuer, Issuer::CLIENT_ID, "only for this machine").await?;
    let events = EventReceiver::discover(issuer, AUDIENCE).await?;
    Ok(layer
        .logout_endpoint(Wire::BackChannel.path(), openid.back_channel_logout())
        .logout_endpoint(Wire::FrontChannel.path(), openid.front_channel_logout())
        .logout_endpoint(
            Wire::TokenRevocation.path(),
            openid.global_token_revocation(),
        )
        .logout_endpoint(Wire::SecurityEvent.path(), events))
}
