//! The core: what all requests share, what one request knows, and the check of a login.

mod attempt;
mod attempts;
mod begin_login;
mod check;
mod check_error;
mod end_login;
mod hooks;
mod listeners;
mod log_out;
mod log_out_others;
mod mint_token;
mod navigation;
mod presented_token;
mod problem;
mod reauthentication;
mod rejected_request;
mod rejection;
mod request;
mod state;
mod suspended;

pub(crate) use self::{
    attempts::{Attempts, ReturnedAttempt, ReturnedStage},
    begin_login::{LoginError, VerifiedLogin},
    check::{Authenticated, RequestLogin},
    check_error::{CheckError, Unanswered},
    end_login::EndLoginError,
    hooks::{Hook, Hooks},
    listeners::Listeners,
    log_out_others::LogOutOthersError,
    navigation::{is_by_person, is_scripted, is_speculative, navigates},
    problem::{insufficient_token, login_required, problem, uncached},
    reauthentication::{MAX_AGE, MaxAge, Reauthentication, login_url},
    rejected_request::referring_page,
    rejection::{LAYER_MISSING, RenderRejection},
    request::{RequestAuth, asked_for},
    state::{AuthState, MountedProvider},
    suspended::SUSPENDED_LOGIN,
};
pub use self::{
    log_out::LogoutError,
    rejection::{LoggedInRejection, RejectionKind},
};
