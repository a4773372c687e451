//! The core: what all requests share, what one request knows, and the check of a login.

mod attempts;
mod burnt;
mod check;
mod hooks;
mod log_out;
mod login;
mod navigation;
mod rejected_request;
mod rejection;
mod request;
mod sign_out;
mod state;

pub(crate) use self::{
    attempts::{Attempts, EndedAttempt},
    check::Authenticated,
    hooks::{Hook, Hooks},
    login::{BegunLogin, LoginError, VerifiedLogin},
    rejection::{CheckError, RenderRejection},
    request::{RequestAuth, asked_for},
    state::{AuthState, MountedProvider},
};
pub use self::{
    log_out::LogoutError,
    rejection::{LoggedInRejection, RejectionKind},
};
