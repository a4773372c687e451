//! The wires of logout notices, and what is sent over each.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use test_support::{Issuer, World};

/// The audience of the events.
pub const AUDIENCE: &str = "the events of the site";
/// A body that is larger than a notice may be.
const TOO_LARGE: usize = 17 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// The webhook of Clef, which is asked about each token.
    Webhook,
    BackChannel,
    FrontChannel,
    SecurityEvent,
    TokenRevocation,
}

/// What is sent: wrong in one way, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Of another media type, or without its token or `sid`.
    Malformed,
    TooLarge,
    /// A text that is no signed token.
    Shape,
    Algorithm,
    Type,
    Issuer,
    /// Of another issuer, with as many claims as fit.
    Claims,
    Audience,
    /// Of a key that the issuer does not have.
    Key,
    Signature,
    /// Clef does not know the token, or the user store does not know the session.
    Unknown,
    /// One of more than are checked at once.
    TurnedAway,
    Real,
}

impl Notice {
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::TooLarge,
        Self::Shape,
        Self::Algorithm,
        Self::Type,
        Self::Issuer,
        Self::Claims,
        Self::Audience,
        Self::Key,
        Self::Signature,
        Self::Unknown,
        Self::TurnedAway,
        Self::Real,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too large",
            Self::Shape => "no token",
            Self::Algorithm => "wrong alg",
            Self::Type => "wrong typ",
            Self::Issuer => "wrong iss",
            Self::Claims => "wrong iss, 11 KiB",
            Self::Audience => "wrong aud",
            Self::Key => "unknown kid",
            Self::Signature => "wrong signature",
            Self::Unknown => "unknown",
            Self::TurnedAway => "turned away",
            Self::Real => "real",
        }
    }

    /// Whether it is refused before a signature is verified, and before anything is asked or looked
    /// up.
    pub fn is_cheap(self) -> bool {
        !matches!(
            self,
            Self::Key | Self::Signature | Self::Unknown | Self::TurnedAway | Self::Real
        )
    }
}

impl Wire {
    pub const ALL: [Self; 5] = [
        Self::Webhook,
        Self::BackChannel,
        Self::FrontChannel,
        Self::SecurityEvent,
        Self::TokenRevocation,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::BackChannel => "back-channel",
            Self::FrontChannel => "front-channel",
            Self::SecurityEvent => "security-event",
            Self::TokenRevocation => "token-revocation",
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::Webhook => "/clef/logout",
            Self::BackChannel => "/back-channel",
            Self::FrontChannel => "/front-channel",
            Self::SecurityEvent => "/events",
            Self::TokenRevocation => "/token-revocation",
        }
    }

    /// Whether such a notice can come over this wire.
    pub fn has(self, notice: Notice) -> bool {
        use Notice::{Issuer, Malformed, Real, TooLarge, TurnedAway, Unknown};

        match self {
            Self::Webhook => [Malformed, TooLarge, Unknown, TurnedAway, Real].contains(&notice),
            Self::FrontChannel => [Malformed, Issuer, Unknown, Real].contains(&notice),
            _ => ![Unknown, TurnedAway].contains(&notice),
        }
    }

    /// The forged notice that costs most.
    pub fn dearest(self) -> Notice {
        match self {
            Self::Webhook | Self::FrontChannel => Notice::Unknown,
            _ => Notice::Signature,
        }
    }

    /// A request with a notice of this number.
    pub fn request(self, issuer: &Issuer, notice: Notice, number: usize) -> Request<Body> {
        let (mut content_type, mut body) = (None, String::new());
        let mut request = Request::builder();
        let mut uri = self.path().to_owned();
        match self {
            Self::Webhook => {
                let is_real = notice == Notice::Real;
                let token = if is_real { "real" } else { "forged" };
                body = format!("logout_token={token}:{number}");
                content_type = Some("application/x-www-form-urlencoded");
            }
            Self::BackChannel => {
                body = format!("logout_token={}", self.token(issuer, notice, number));
                content_type = Some("application/x-www-form-urlencoded");
            }
            Self::FrontChannel => {
                let session = match notice {
                    Notice::Malformed => String::new(),
                    Notice::Real => session(number),
                    _ => format!("forged-{number}"),
                };
                let named = match notice {
                    Notice::Issuer => "https://other.test",
                    _ => &issuer.url,
                };
                uri = format!("{uri}?iss={named}&sid={session}");
            }
            Self::SecurityEvent => {
                body = self.token(issuer, notice, number);
                content_type = Some("application/secevent+jwt");
            }
            Self::TokenRevocation => {
                body = json!({ "sub_id": subject(issuer, number) }).to_string();
                content_type = Some("application/json");
                if notice != Notice::Malformed {
                    let token = self.token(issuer, notice, number);
                    request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
                }
            }
        }
        match notice {
            Notice::Malformed => content_type = Some("text/plain"),
            Notice::TooLarge => body = "x".repeat(TOO_LARGE),
            _ => {}
        }
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let is_get = self == Self::FrontChannel;
        let method = if is_get { Method::GET } else { Method::POST };
        request.method(method).uri(uri).body(body.into()).unwrap()
    }

    fn token(self, issuer: &Issuer, notice: Notice, number: usize) -> String {
        let (kind, claims) = match self {
            Self::BackChannel => {
                let event = "http://schemas.openid.net/event/backchannel-logout";
                let claims = json!({
                    "aud": Issuer::CLIENT_ID, "sub": person(number), "events": { event: {} },
                });
                ("logout+jwt", claims)
            }
            Self::TokenRevocation => {
                let audience = format!("{}{}", World::SITE, self.path());
                let claims = json!({ "aud": audience, "sub": Issuer::CLIENT_ID });
                ("global-token-revocation+jwt", claims)
            }
            _ => {
                let event = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
                let claims = json!({
                    "aud": AUDIENCE, "sub_id": subject(issuer, number), "events": { event: {} },
                });
                ("secevent+jwt", claims)
            }
        };
        let mut header = Issuer::header(kind);
        let mut claims = issuer.claims(kind, &number.to_string(), &claims);
        match notice {
            Notice::Real => return issuer.sign(&header, &claims),
            Notice::Shape => return "x".repeat(600),
            Notice::Algorithm => header["alg"] = "HS256".into(),
            Notice::Type => header["typ"] = "at+jwt".into(),
            Notice::Issuer => claims["iss"] = "https://other.test".into(),
            Notice::Claims => {
                claims["iss"] = "https://other.test".into();
                for number in 0..800 {
                    claims[format!("c{number}")] = number.into();
                }
            }
            Notice::Audience => claims["aud"] = "another site".into(),
            Notice::Key => header["kid"] = "another key".into(),
            _ => {}
        }
        issuer.forge(&header, &claims)
    }
}

/// How many people the site has.
pub const PEOPLE: usize = 100;

/// The person whom this notice is about.
pub fn person(number: usize) -> String {
    (number % PEOPLE).to_string()
}

/// The session of that person at the provider.
pub fn session(number: usize) -> String {
    format!("session-{}", person(number))
}

fn subject(issuer: &Issuer, number: usize) -> Value {
    json!({ "format": "iss_sub", "iss": issuer.url, "sub": person(number) })
}
