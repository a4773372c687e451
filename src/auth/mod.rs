//! The core: what all requests share, what one request knows, and the check of a login.

mod attempts;
mod check;
mod hooks;
#[cfg(feature = "live")]
mod listen;
mod listeners;
mod log_out;
mod login;
mod navigation;
mod rejected_request;
mod rejection;
mod request;
mod sign_out;
mod state;
mod unanswered;
mod used_states;

pub(crate) use self::{
    attempts::{Attempts, EndedAttempt},
    check::Authenticated,
    hooks::{Hook, Hooks},
    listeners::Listeners,
    login::{LoginError, VerifiedLogin},
    rejection::{CheckError, RenderRejection},
    request::{RequestAuth, asked_for},
    sign_out::EndLoginError,
    state::{AuthState, MountedProvider},
    unanswered::Unanswered,
};
pub use self::{
    log_out::LogoutError,
    rejection::{LoggedInRejection, RejectionKind},
};
