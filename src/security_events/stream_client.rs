//! Setting up the stream of events at a sender (SSF 1.0, section 8.1).

use std::fmt;

use http::{Method, StatusCode, header};
use reqwest::RequestBuilder;
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::{
    AccessToken, EventDelivery, EventReceiver, EventStream, StreamError, StreamStatus,
    metadata::TransmitterMetadata,
    stream::{OneOrMore, StatusJson, StreamJson},
};
use crate::{
    Subject, calls,
    jose::{LIMIT, RemoteError},
};

/// A client for the stream of events that a sender has for this site: it creates, reads, verifies
/// and removes it.
///
/// Each call takes at most five seconds, follows no redirect and reads at most 256 KiB.
///
/// ```no_run
/// use axum_clef::{
///     BoxError,
///     secrecy::SecretString,
///     security_events::{EventDelivery, EventReceiver, StreamClient},
/// };
///
/// /// Call it once the site answers at that URL.
/// async fn register(receiver: &EventReceiver, token: SecretString) -> Result<(), BoxError> {
///     let client = StreamClient::new(receiver, token);
///     let delivery = EventDelivery::push("https://example.com/clef/events");
///     let events = ["https://schemas.openid.net/secevent/caep/event-type/session-revoked"];
///     let stream = client.ensure(&delivery, &events).await?;
///     client.verify(&stream.id).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct StreamClient {
    receiver: EventReceiver,
    token: AccessToken,
}

impl StreamClient {
    /// Creates a client for the stream of this receiver. The access token is what the sender asks
    /// for at its management API.
    pub fn new(receiver: &EventReceiver, token: impl Into<AccessToken>) -> Self {
        Self {
            receiver: receiver.clone(),
            token: token.into(),
        }
    }

    /// Creates a stream with these events, by their URIs (SSF 1.0, section 8.1.1.1).
    ///
    /// # Errors
    ///
    /// [`StreamError::Exists`] if there is one already, [`StreamError::OtherIssuer`] if its events
    /// would be refused, and others of [`StreamError`].
    pub async fn create(
        &self,
        delivery: &EventDelivery,
        events: &[&str],
    ) -> Result<EventStream, StreamError> {
        let (_, stream) = self.post(delivery, events).await?;
        self.checked(stream)
    }

    /// Creates a stream, or returns the one that delivers in the same way already. Its events are
    /// not compared.
    ///
    /// # Errors
    ///
    /// [`StreamError::OtherStream`] if the sender allows one stream and there is one with another
    /// delivery, [`StreamError::OtherIssuer`] if its events would be refused, and others of
    /// [`StreamError`]. A new stream of another issuer (201) is removed again.
    pub async fn ensure(
        &self,
        delivery: &EventDelivery,
        events: &[&str],
    ) -> Result<EventStream, StreamError> {
        let posted = match self.post(delivery, events).await {
            Err(StreamError::Exists) => None,
            posted => Some(posted?),
        };
        if let Some((status, stream)) = posted {
            let stream = self.checked(stream);
            if let Err(StreamError::OtherIssuer { id }) = &stream
                && status == StatusCode::CREATED
            {
                // Otherwise each start of the application would leave one there. A stream that comes
                // with 200 may be in use elsewhere.
                let _ = self.remove(id).await;
            }
            return stream;
        }
        let streams = self.list().await?;
        if let Some(same) = streams.iter().find(|stream| delivery.is_of(stream)) {
            return Ok(same.clone());
        }
        match streams.into_iter().next() {
            Some(EventStream { id, .. }) => Err(StreamError::OtherStream { id }),
            None => Err(StreamError::Exists),
        }
    }

    /// Returns the streams that the sender has for this site.
    ///
    /// # Errors
    ///
    /// [`StreamError::OtherIssuer`] if one of them is of another issuer, and others of
    /// [`StreamError`].
    pub async fn list(&self) -> Result<Vec<EventStream>, StreamError> {
        let url = self.configuration_endpoint().await?;
        let request = self.request(Method::GET, url).await?;
        let streams: OneOrMore = call("the streams", request, &[StatusCode::OK]).await?;
        let streams = Vec::<StreamJson>::from(streams).into_iter();
        streams.map(|stream| self.of_sender(stream)).collect()
    }

    /// Returns the stream with this id.
    ///
    /// # Errors
    ///
    /// [`StreamError::NoSuchStream`] if there is none, [`StreamError::OtherIssuer`] if it is of
    /// another issuer, and others of [`StreamError`].
    pub async fn read(&self, id: &str) -> Result<EventStream, StreamError> {
        let url = self.configuration_endpoint().await?;
        let request = self.request(Method::GET, of_stream(url, id)).await?;
        let stream: StreamJson = call("the stream", request, &[StatusCode::OK]).await?;
        self.of_sender(stream)
    }

    /// Returns the status of the stream with this id (SSF 1.0, section 8.1.2.1).
    ///
    /// # Errors
    ///
    /// [`StreamError::NoSuchStream`] if there is none, and others of [`StreamError`].
    pub async fn status(&self, id: &str) -> Result<StreamStatus, StreamError> {
        let url = self
            .endpoint("status_endpoint", |it| &it.status_endpoint)
            .await?;
        let request = self.request(Method::GET, of_stream(url, id)).await?;
        let status: StatusJson = call("the status", request, &[StatusCode::OK]).await?;
        Ok(status.into())
    }

    /// Asks the sender for a verification event (SSF 1.0, section 8.1.4.2). It arrives as any event,
    /// with a random state that this node compares for a minute.
    ///
    /// # Errors
    ///
    /// [`StreamError::TooOften`] if it was asked a moment ago, and others of [`StreamError`].
    pub async fn verify(&self, id: &str) -> Result<(), StreamError> {
        let url = self
            .endpoint("verification_endpoint", |it| &it.verification_endpoint)
            .await?;
        let state = format!("{:032x}", rand::random::<u128>());
        let body = json!({ "stream_id": id, "state": state });
        let request = self.request(Method::POST, url).await?;
        let request = with_json(request, &body);
        // Before the call: the event may arrive before its answer.
        self.receiver.expect_state(state);
        acknowledged("the verification", request).await
    }

    /// Adds a subject to the stream, for a sender that sends events of the added subjects only (SSF
    /// 1.0, section 8.1.3.2).
    ///
    /// # Errors
    ///
    /// A [`StreamError`] if the call fails.
    pub async fn add_subject(&self, id: &str, subject: &Subject) -> Result<(), StreamError> {
        let url = self
            .endpoint("add_subject_endpoint", |it| &it.add_subject_endpoint)
            .await?;
        self.change_subject(url, id, subject).await
    }

    /// Removes a subject from the stream (SSF 1.0, section 8.1.3.3).
    ///
    /// # Errors
    ///
    /// A [`StreamError`] if the call fails.
    pub async fn remove_subject(&self, id: &str, subject: &Subject) -> Result<(), StreamError> {
        let url = self
            .endpoint("remove_subject_endpoint", |it| &it.remove_subject_endpoint)
            .await?;
        self.change_subject(url, id, subject).await
    }

    /// Removes the stream with this id: no more events arrive (SSF 1.0, section 8.1.1.5).
    ///
    /// # Errors
    ///
    /// [`StreamError::NoSuchStream`] if there is none, and others of [`StreamError`].
    pub async fn remove(&self, id: &str) -> Result<(), StreamError> {
        let url = self.configuration_endpoint().await?;
        let request = self.request(Method::DELETE, of_stream(url, id)).await?;
        acknowledged("the removal", request).await
    }

    /// Requests a stream. A new one has the status 201. A sender that answers 200 may return a stream
    /// that exists already.
    async fn post(
        &self,
        delivery: &EventDelivery,
        events: &[&str],
    ) -> Result<(StatusCode, StreamJson), StreamError> {
        let url = self.configuration_endpoint().await?;
        let body = json!({ "delivery": delivery.to_json(), "events_requested": events });
        let request = self.request(Method::POST, url).await?;
        let request = with_json(request, &body);
        let created = [StatusCode::CREATED, StatusCode::OK];
        call_with_status("the stream", request, &created).await
    }

    /// Checks the issuer of a requested stream. Another audience is a warning.
    fn checked(&self, stream: StreamJson) -> Result<EventStream, StreamError> {
        let stream = self.of_sender(stream)?;
        let ours = |audience: &String| self.receiver.audiences.contains(audience);
        if !stream.audiences.is_empty() && !stream.audiences.iter().any(ours) {
            tracing::warn!(
                audiences = ?stream.audiences,
                "the events of the stream are for another audience; set `EventReceiver::audience`"
            );
        }
        Ok(stream)
    }

    /// A stream whose events have the issuer of the sender (SSF 1.0, sections 8.1.1.1 and 8.1.1.2).
    fn of_sender(&self, stream: StreamJson) -> Result<EventStream, StreamError> {
        let (dialect, issuer) = (
            self.receiver.subjects.dialect,
            self.receiver.remote.issuer(),
        );
        match &stream.iss {
            Some(named) if !dialect.is_same_issuer(named, issuer) => {
                Err(StreamError::OtherIssuer {
                    id: stream.stream_id,
                })
            }
            _ => Ok(stream.into()),
        }
    }

    async fn change_subject(
        &self,
        url: Url,
        id: &str,
        subject: &Subject,
    ) -> Result<(), StreamError> {
        let named = json!({ "format": "iss_sub", "iss": subject.issuer(), "sub": subject.id() });
        let body = json!({ "stream_id": id, "subject": named, "verified": true });
        let request = self.request(Method::POST, url).await?;
        let request = with_json(request, &body);
        acknowledged("the subject", request).await
    }

    async fn configuration_endpoint(&self) -> Result<Url, StreamError> {
        self.endpoint("configuration_endpoint", |it| &it.configuration_endpoint)
            .await
    }

    async fn endpoint(
        &self,
        name: &'static str,
        of: impl Fn(&TransmitterMetadata) -> &Option<Url>,
    ) -> Result<Url, StreamError> {
        let metadata = self.receiver.remote.metadata().await?;
        of(&metadata).clone().ok_or(StreamError::NoEndpoint(name))
    }

    async fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, StreamError> {
        let token = self.token.get().await?;
        let client = self.receiver.remote.client()?;
        Ok(client
            .request(method, url)
            .bearer_auth(token.expose_secret()))
    }
}

/// The URL of one stream.
fn of_stream(mut url: Url, id: &str) -> Url {
    url.query_pairs_mut().append_pair("stream_id", id);
    url
}

fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    let request = request.header(header::CONTENT_TYPE, "application/json");
    request.body(body.to_string())
}

/// Sends a request, and reads its JSON.
async fn call<T: DeserializeOwned>(
    what: &'static str,
    request: RequestBuilder,
    expected: &[StatusCode],
) -> Result<T, StreamError> {
    let (_, json) = call_with_status(what, request, expected).await?;
    Ok(json)
}

/// Like [`call`], with which of the expected statuses the answer has.
async fn call_with_status<T: DeserializeOwned>(
    what: &'static str,
    request: RequestBuilder,
    expected: &[StatusCode],
) -> Result<(StatusCode, T), StreamError> {
    let response = calls::send(request).await?;
    let status = response.status();
    if !expected.contains(&status) {
        return Err(StreamError::of(what, status));
    }
    let body = calls::read(response, LIMIT).await?;
    let unreadable = |_| StreamError::Remote(RemoteError::Unreadable { what });
    let json = serde_json::from_slice(&body).map_err(unreadable)?;
    Ok((status, json))
}

/// Sends a request whose answer has nothing to read.
async fn acknowledged(what: &'static str, request: RequestBuilder) -> Result<(), StreamError> {
    let status = calls::send(request).await?.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(StreamError::of(what, status)),
    }
}

impl fmt::Debug for StreamClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StreamClient")
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}
