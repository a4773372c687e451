//! Who is there: asked by the handler, answered at most once per request.

mod logged_in;
mod login;
mod login_end;
mod logouts;
mod navigation;
mod rejection;
mod same_origin;
mod stored;
mod visit;

pub use self::{
    logged_in::LoggedIn,
    login::Login,
    logouts::{LogoutError, Logouts},
    rejection::{Rejection, RejectionKind},
    same_origin::{SameOrigin, SameOriginRejection},
};
pub(crate) use self::{
    navigation::navigates,
    same_origin::is_cross_origin,
    visit::{Gate, Storing, Visit, asked_for},
};
