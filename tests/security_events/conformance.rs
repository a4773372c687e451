//! The modules of the OpenID Foundation's conformance suite for receivers of security events: a
//! stream from its creation to its removal, pushed and polled, with events of the suite's form.

use std::time::Duration;

use axum_clef::{
    secrecy::SecretString,
    security_events::{EventDelivery, EventPoll, StreamClient},
};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    management::{Management, TOKEN},
    support::{CAEP, PATH, SSF, Scene, now, sign},
};

/// A stream of a site that receives its events in one way.
pub struct Stream {
    pub scene: Scene,
    client: StreamClient,
    id: String,
    polling: Option<JoinHandle<()>>,
}

impl Stream {
    /// Creates the stream, as the interoperability profile has it: create, read, read the status.
    pub async fn create(is_push: bool) -> Self {
        let mut receiver = None;
        let scene = Scene::with(|with| {
            receiver = Some(with.clone());
            with
        })
        .await;
        let receiver = receiver.unwrap();
        let token = || SecretString::from(TOKEN);
        let client = StreamClient::new(&receiver, token());
        let delivery = match is_push {
            true => EventDelivery::push(scene.nodes[1].url(PATH)),
            false => EventDelivery::poll(),
        };
        let events = [
            "session-revoked",
            "credential-change",
            "device-compliance-change",
        ];
        let events = events.map(|name| format!("{CAEP}/{name}"));
        let requested = events.each_ref().map(String::as_str);
        let stream = client.create(&delivery, &requested).await.unwrap();
        assert_eq!(
            (stream.is_push, &*stream.events_delivered),
            (is_push, &events[..])
        );
        assert_eq!(client.read(&stream.id).await.unwrap(), stream);
        client.status(&stream.id).await.unwrap();
        let polling = (!is_push).then(|| {
            let url = stream.endpoint_url.unwrap();
            let poll = EventPoll::new(&receiver, &url, token()).unwrap();
            let poll = poll.interval(Duration::from_millis(100));
            tokio::spawn(scene.nodes[1].layer.poll_events(poll).unwrap())
        });
        Self {
            scene,
            client,
            id: stream.id,
            polling,
        }
    }

    async fn until(&self, what: &str, is_done: impl Fn(&Management) -> bool) {
        let begun_at = Instant::now();
        while !is_done(&self.scene.transmitter.script().management) {
            assert!(begun_at.elapsed() < Duration::from_secs(10), "{what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn verify(&self) {
        self.client.verify(&self.id).await.unwrap();
        let is_push = self.polling.is_none();
        self.until("the verification", |management| match is_push {
            true => management.verified == [202],
            false => management.acknowledged("verification"),
        })
        .await;
    }

    /// Sends an event, which the site must acknowledge.
    pub async fn send(&self, claims: &Value) {
        let token = sign(claims);
        if self.polling.is_none() {
            let heard = self.scene.push(&token).await;
            assert_eq!((heard.status, &*heard.body), (202, ""), "{claims}");
            return;
        }
        let id = claims["jti"].as_str().unwrap();
        let waiting = (id.to_owned(), token);
        self.scene
            .transmitter
            .script()
            .management
            .waiting
            .extend([waiting]);
        self.until(id, |management| management.acknowledged(id))
            .await;
    }

    /// An event about Alex. The suite writes the time in milliseconds.
    async fn send_event(&self, name: &str, mut members: Value) {
        members["event_timestamp"] = (now() * 1_000).into();
        members["reason_admin"] = json!({ "en": "A policy of the directory" });
        let claims = self.scene.of_alex(&format!("{CAEP}/{name}"), members);
        self.send(&claims).await;
    }

    pub async fn remove(self) {
        self.client.remove(&self.id).await.unwrap();
        assert!(self.client.list().await.unwrap().is_empty());
        if let Some(polling) = self.polling {
            polling.abort();
        }
    }
}

#[tokio::test]
async fn a_stream_is_created_and_removed() {
    for is_push in [true, false] {
        Stream::create(is_push).await.remove().await;
    }
}

#[tokio::test]
async fn a_stream_is_verified_by_the_site_and_by_the_sender() {
    for is_push in [true, false] {
        let stream = Stream::create(is_push).await;
        let uri = format!("{SSF}/verification");
        let subject = json!({ "format": "opaque", "id": stream.id });
        let unasked = stream.scene.about(&uri, json!({}), subject);
        stream.send(&unasked).await;
        stream.verify().await;
        assert!(stream.scene.all_are_in().await);
        stream.remove().await;
    }
}

#[tokio::test]
async fn the_events_of_the_interoperability_profile_are_acknowledged_and_have_their_effect() {
    for is_push in [true, false] {
        let stream = Stream::create(is_push).await;
        stream.verify().await;
        let created = json!({
            "credential_type": "fido2-roaming",
            "change_type": "create",
            "friendly_name": "A security key",
            "initiating_entity": "user",
        });
        stream.send_event("credential-change", created).await;
        let device = json!({ "previous_status": "compliant", "current_status": "not-compliant" });
        stream.send_event("device-compliance-change", device).await;
        assert!(stream.scene.all_are_in().await);
        let revoked = json!({
            "initiating_entity": "policy",
            "reason_user": { "en": "Log in again", "no": "Logg inn igjen" },
        });
        stream.send_event("session-revoked", revoked).await;
        assert_eq!(stream.scene.who_is_in().await, ["kim"]);
        stream.remove().await;
    }
}
