//! Security events of other services: the Shared Signals Framework (feature `security-events`).
//!
//! A sender says that something has happened to a user: a session was revoked, an account was
//! disabled, a password was found elsewhere (SSF 1.0, CAEP 1.0, RISC 1.0). Each event is a signed
//! token (RFC 8417). An event that calls for it ends logins here, and each reaches a hook of the
//! application.
//!
//! Start with [`EventReceiver`]. [`StreamClient`] sets up the stream at the sender, and [`EventPoll`]
//! polls events where the sender cannot reach this site. [`AppleNotices`] receives the notices of Sign
//! in with Apple.

mod access_token;
mod answer;
mod apple;
mod dialect;
mod error;
mod event;
mod expected_state;
mod hook;
mod kind;
mod metadata;
mod poll;
mod receive;
mod receiver;
mod scopes;
mod settled_ids;
mod stream;
mod stream_client;
mod stream_error;
mod subject;
mod token;

pub use self::{
    access_token::AccessToken,
    apple::AppleNotices,
    error::SecurityEventError,
    event::{Initiator, SecurityEvent},
    kind::{ChangeType, CredentialChange, SecurityEventKind},
    poll::EventPoll,
    receiver::EventReceiver,
    stream::{EventDelivery, EventStream, StreamState, StreamStatus},
    stream_client::StreamClient,
    stream_error::StreamError,
    subject::EventSubject,
};
pub use crate::jose::{RemoteError, SigningAlgorithm, TokenError};
