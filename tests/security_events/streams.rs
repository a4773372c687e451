//! The stream that a site sets up at a sender.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_clef::{
    Subject,
    secrecy::SecretString,
    security_events::{
        AccessToken, EventDelivery, EventReceiver, RemoteError, SecurityEventKind, StreamClient,
        StreamError, StreamState,
    },
};
use serde_json::{Value, json};

use crate::{
    management::TOKEN,
    support::{AUDIENCE, CAEP, PATH, Scene, Transmitter, log},
};

fn client(transmitter: &Transmitter) -> StreamClient {
    let receiver = EventReceiver::new(&*transmitter.issuer, AUDIENCE).unwrap();
    StreamClient::new(&receiver, SecretString::from(TOKEN))
}

fn delivery() -> EventDelivery {
    EventDelivery::push("https://site.example/clef/events").authorization("the header")
}

#[tokio::test]
async fn a_stream_is_created_read_and_removed() {
    let transmitter = Transmitter::start().await;
    let client = client(&transmitter);
    let revoked = format!("{CAEP}/session-revoked");
    let stream = client.create(&delivery(), &[&revoked]).await.unwrap();
    assert_eq!(stream.id, "stream 1&");
    assert_eq!(stream.audiences, [AUDIENCE]);
    assert!(stream.is_push);
    assert_eq!(
        stream.endpoint_url.as_deref(),
        Some("https://site.example/clef/events")
    );
    assert_eq!(stream.events_delivered, std::slice::from_ref(&revoked));
    assert_eq!(
        stream.min_verification_interval,
        Some(Duration::from_secs(60))
    );
    let (call, body) = transmitter.script().management.calls[0].clone();
    assert_eq!(call, "POST /ssf/stream");
    let expected = json!({
        "delivery": {
            "method": "urn:ietf:rfc:8935",
            "endpoint_url": "https://site.example/clef/events",
            "authorization_header": "the header",
        },
        "events_requested": [revoked],
    });
    assert_eq!(body, expected);
    assert_eq!(client.read(&stream.id).await.unwrap(), stream);
    assert_eq!(client.list().await.unwrap(), std::slice::from_ref(&stream));
    let status = client.status(&stream.id).await.unwrap();
    assert_eq!(
        (status.state, status.reason.as_deref()),
        (StreamState::Paused, Some("tea"))
    );
    let alex = Subject::new("https://id.test", "alex");
    let last_call = || {
        let script = transmitter.script();
        script.management.calls.last().cloned().unwrap()
    };
    client.add_subject(&stream.id, &alex).await.unwrap();
    let (call, body) = last_call();
    assert_eq!(call, "POST /ssf/subjects/add");
    assert_eq!(body["stream_id"], stream.id);
    assert_eq!(body["subject"]["sub"], "alex");
    client.remove_subject(&stream.id, &alex).await.unwrap();
    let (call, body) = last_call();
    assert_eq!(call, "POST /ssf/subjects/remove");
    assert_eq!(body["stream_id"], stream.id);
    assert_eq!(body["subject"]["sub"], "alex");
    client.remove(&stream.id).await.unwrap();
    for gone in [
        client.remove(&stream.id).await,
        client.read(&stream.id).await.map(drop),
        client.status(&stream.id).await.map(drop),
    ] {
        assert!(matches!(gone, Err(StreamError::NoSuchStream)), "{gone:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_there_already_is_used() {
    let transmitter = Transmitter::start().await;
    let client = client(&transmitter);
    let first = client.ensure(&delivery(), &[]).await.unwrap();
    assert_eq!(client.ensure(&delivery(), &[]).await.unwrap(), first);
    assert!(matches!(
        client.create(&delivery(), &[]).await,
        Err(StreamError::Exists)
    ));
    for other in [
        EventDelivery::push("https://elsewhere.test/"),
        EventDelivery::poll(),
    ] {
        match client.ensure(&other, &[]).await {
            Err(StreamError::OtherStream { id }) => assert_eq!(id, first.id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(transmitter.script().management.streams.len(), 1);
}

#[tokio::test]
async fn a_verification_arrives_with_the_state_that_was_asked_for() {
    let (kinds, mut receiver) = (Arc::<Mutex<Vec<_>>>::default(), None);
    let received = Arc::clone(&kinds);
    let scene = Scene::with(|with| {
        let with = with.on_event(move |event| {
            received.lock().unwrap().push(event.kind);
            async { Ok(()) }
        });
        receiver = Some(with.clone());
        with
    })
    .await;
    let client = StreamClient::new(&receiver.unwrap(), SecretString::from(TOKEN));
    let here = EventDelivery::push(scene.nodes[0].url(PATH));
    let stream = client.create(&here, &[]).await.unwrap();
    client.verify(&stream.id).await.unwrap();
    let (_, body) = scene
        .transmitter
        .script()
        .management
        .calls
        .last()
        .cloned()
        .unwrap();
    let state = body["state"].as_str().unwrap().to_owned();
    assert_eq!(state.len(), 32);
    let verified = async |count: usize| {
        for _ in 0..500 {
            let verified = scene.transmitter.script().management.verified.clone();
            if verified.len() == count {
                return verified;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no verification event arrives");
    };
    assert_eq!(verified(1).await, [202]);
    let state = Some(state);
    let expected = [SecurityEventKind::Verification { state }];
    assert_eq!(*kinds.lock().unwrap(), expected);
    // One with another state shows nothing.
    scene.transmitter.script().management.wrong_state = Some("another".to_owned());
    client.verify(&stream.id).await.unwrap();
    assert_eq!(verified(2).await, [202, 400]);
    assert_eq!(*kinds.lock().unwrap(), expected);
}

#[tokio::test]
async fn each_failure_has_its_error() {
    let transmitter = Transmitter::start().await;
    let client = client(&transmitter);
    for (status, expected) in [
        (401, "access token"),
        (403, "access token"),
        (404, "no such stream"),
        (400, "rejects the request"),
        (429, "too often"),
        (500, "500"),
        (302, "302"),
    ] {
        transmitter.script().management.refuses = Some(status);
        for error in [
            client.read("1").await.unwrap_err(),
            client.verify("1").await.unwrap_err(),
        ] {
            assert!(error.to_string().contains(expected), "{status}: {error}");
        }
    }
    transmitter.script().management.refuses = None;
    for body in [
        "",
        "{}",
        "[",
        "\"stream\"",
        &"[".repeat(10_000),
        &" ".repeat(300_000),
    ] {
        transmitter.script().management.body = Some(body.to_owned());
        let error = client.read("1").await.unwrap_err();
        assert!(matches!(error, StreamError::Remote(_)), "{error:?}");
    }
    transmitter.script().metadata = json!({ "verification_endpoint": "http://example.com/" });
    let fresh = self::client(&transmitter);
    let error = fresh.verify("1").await.unwrap_err();
    let is_missing = matches!(error, StreamError::NoEndpoint("verification_endpoint"));
    assert!(is_missing, "{error:?}");
    let receiver = EventReceiver::new("http://127.0.0.1:1", AUDIENCE).unwrap();
    let nowhere = StreamClient::new(&receiver, SecretString::from(TOKEN));
    let error = nowhere.list().await.unwrap_err();
    let is_unreachable = matches!(error, StreamError::Remote(RemoteError::Unreachable(_)));
    assert!(is_unreachable, "{error:?}");
}

/// The receiver would refuse the events of another issuer.
#[tokio::test]
async fn a_stream_of_another_issuer_is_an_error() {
    let transmitter = Transmitter::start().await;
    let standard = EventReceiver::new(&*transmitter.issuer, AUDIENCE).unwrap();
    let google = standard.clone().google_dialect();
    let [standard, google] =
        [standard, google].map(|receiver| StreamClient::new(&receiver, SecretString::from(TOKEN)));
    let answers = |stream: Value| {
        transmitter.script().management.body = Some(stream.to_string());
    };
    let with_slash = format!("{}/", transmitter.issuer);
    for (client, issuer) in [
        (&standard, "https://elsewhere.test"),
        (&standard, &*with_slash),
        (&google, "https://elsewhere.test"),
    ] {
        let stream = json!({ "stream_id": "1", "iss": issuer, "aud": AUDIENCE });
        answers(stream.clone());
        let last = || {
            transmitter
                .script()
                .management
                .calls
                .last()
                .cloned()
                .unwrap()
                .0
        };
        let ensured = client.ensure(&delivery(), &[]).await.map(drop);
        assert_eq!(last(), "DELETE /ssf/stream", "a new stream is removed");
        for refused in [
            ensured,
            client.create(&delivery(), &[]).await.map(drop),
            client.read("1").await.map(drop),
        ] {
            match refused {
                Err(StreamError::OtherIssuer { id }) => assert_eq!(id, "1"),
                other => panic!("{issuer}: {other:?}"),
            }
        }
        let own = json!({ "stream_id": "2", "iss": transmitter.issuer });
        answers(json!([own, stream]));
        match client.list().await {
            Err(StreamError::OtherIssuer { id }) => assert_eq!(id, "1"),
            other => panic!("{issuer}: {other:?}"),
        }
    }
    // Drafts have no issuer.
    for (client, issuer) in [
        (&standard, Value::Null),
        (&standard, transmitter.issuer.clone().into()),
        (&google, with_slash.into()),
    ] {
        answers(json!({ "stream_id": "1", "iss": issuer }));
        assert_eq!(client.read("1").await.unwrap().id, "1");
        assert_eq!(client.list().await.unwrap().len(), 1);
    }
    answers(json!({ "stream_id": "1" }));
    assert_eq!(standard.read("1").await.unwrap().id, "1");
}

/// A sender may answer a second request with the stream that exists, which another site may use.
#[tokio::test]
async fn a_stream_that_is_not_new_is_not_removed() {
    let transmitter = Transmitter::start().await;
    let client = client(&transmitter);
    transmitter.script().management.returns_existing = true;
    let answers = |issuer: &str| {
        let stream = json!({ "stream_id": "1", "iss": issuer, "aud": AUDIENCE });
        transmitter.script().management.body = Some(stream.to_string());
    };
    answers("https://elsewhere.test");
    match client.ensure(&delivery(), &[]).await {
        Err(StreamError::OtherIssuer { id }) => assert_eq!(id, "1"),
        other => panic!("{other:?}"),
    }
    answers(&transmitter.issuer);
    assert_eq!(client.ensure(&delivery(), &[]).await.unwrap().id, "1");
    let calls = transmitter.script().management.calls.clone();
    let calls: Vec<_> = calls.iter().map(|(call, _)| call.as_str()).collect();
    assert_eq!(calls, ["POST /ssf/stream"; 2]);
}

#[tokio::test]
async fn the_access_token_is_asked_for_each_call() {
    let transmitter = Transmitter::start().await;
    let receiver = EventReceiver::new(&*transmitter.issuer, AUDIENCE).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let token = AccessToken::new(move || {
        let number = counter.fetch_add(1, SeqCst);
        async move {
            match number {
                0 => Err("the authorization server is down".into()),
                1 => Ok(SecretString::from("an old token")),
                _ => Ok(SecretString::from(TOKEN)),
            }
        }
    });
    let client = StreamClient::new(&receiver, token);
    let down = client.list().await.unwrap_err();
    assert!(matches!(down, StreamError::AccessToken(_)), "{down:?}");
    let old = client.list().await.unwrap_err();
    assert!(matches!(old, StreamError::Unauthorized(_)), "{old:?}");
    assert_eq!(client.list().await.unwrap(), []);
    assert_eq!(calls.load(SeqCst), 3);
}

#[tokio::test]
async fn a_stream_for_another_audience_is_a_warning() {
    let transmitter = Transmitter::start().await;
    let receiver = EventReceiver::new(&*transmitter.issuer, "https://elsewhere.test").unwrap();
    let client = StreamClient::new(&receiver, SecretString::from(TOKEN));
    log::listen();
    client.create(&delivery(), &[]).await.unwrap();
    let warnings = log::events("WARN");
    assert!(
        warnings[0].contains("EventReceiver::audience"),
        "{warnings:?}"
    );
}
