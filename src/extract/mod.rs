//! What handlers take as arguments.

mod log_in_error;
mod logged_in;
mod login;
#[cfg(feature = "live")]
mod logout_signal;
mod logouts;
mod new_login;
mod new_token;
mod new_token_error;
mod other_logins;
mod permission;
mod permitted;
mod recent_login;
mod same_origin;
mod sign_out;
mod suspended_login;

pub(crate) use self::same_origin::{is_cross_origin, is_forged};
pub use self::{
    log_in_error::{LogInError, LogInErrorKind},
    logged_in::LoggedIn,
    logouts::Logouts,
    new_login::NewLogin,
    new_token::{BearerToken, NewToken},
    new_token_error::NewTokenError,
    other_logins::{OtherLogins, OtherLoginsError, OtherLoginsErrorKind, OtherLoginsRejection},
    permission::{AllOf, AnyOf, Permission, UserPermission},
    permitted::Permitted,
    recent_login::RecentLogin,
    same_origin::{SameOrigin, SameOriginRejection},
    sign_out::{SignOut, SignOutError},
    suspended_login::SuspendedLogin,
};
