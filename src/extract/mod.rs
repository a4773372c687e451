//! What handlers take as arguments.

mod logged_in;
mod login;
#[cfg(feature = "live")]
mod logout_signal;
mod logouts;
mod same_origin;
mod sign_out;

pub(crate) use self::same_origin::is_cross_origin;
pub use self::{
    logged_in::LoggedIn,
    logouts::Logouts,
    same_origin::{SameOrigin, SameOriginRejection},
    sign_out::{SignOut, SignOutError},
};
