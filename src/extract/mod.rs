//! Who is there: asked by the handler, answered at most once per request.

mod logged_in;
mod login;
mod logouts;
mod navigation;
mod rejection;
mod visit;

pub(crate) use self::visit::{Gate, Storing, Visit, asked_for};
pub use self::{
    logged_in::LoggedIn,
    login::Login,
    logouts::{LogoutError, Logouts},
    rejection::{Rejection, RejectionKind},
};
