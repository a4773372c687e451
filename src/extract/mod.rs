//! Who is there: asked by the handler, answered at most once per request.

mod logged_in;
mod login;
mod login_end;
mod logouts;
mod navigation;
mod rejection;
mod stored;
mod visit;

pub use self::{
    logged_in::LoggedIn,
    login::Login,
    logouts::{LogoutError, Logouts},
    rejection::{Rejection, RejectionKind},
};
pub(crate) use self::{
    navigation::navigates,
    visit::{Gate, Storing, Visit, asked_for},
};
