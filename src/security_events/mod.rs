//! Security events of other services: the Shared Signals Framework (feature `security-events`).
//!
//! A sender says that something has happened to a user: a session was revoked, an account was
//! disabled, a password was found elsewhere (SSF 1.0, CAEP 1.0, RISC 1.0). Each event is a signed
//! token (RFC 8417). An event that calls for it ends logins here, and each reaches a hook of the
//! application.
//!
//! Start with [`EventReceiver`]. [`AppleNotices`] receives the notices of Sign in with Apple.

mod answer;
mod apple;
mod dialect;
mod error;
mod event;
mod hook;
mod kind;
mod metadata;
mod receiver;
mod scopes;
mod subject;
mod token;

pub use self::{
    apple::AppleNotices,
    error::SecurityEventError,
    event::{Initiator, SecurityEvent},
    kind::{ChangeType, CredentialChange, SecurityEventKind},
    receiver::EventReceiver,
    subject::EventSubject,
};
pub use crate::jose::{RemoteError, SigningAlgorithm, TokenError};
