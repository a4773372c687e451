//! Signals the end of a login to open pages, streams and sockets.
//!
//! The check of a request cannot reach responses that are already running. So each login with
//! listeners has one entry here, however many listeners it has. Logouts at this node signal them at
//! once. For logouts at other nodes, the user store is polled at an interval. If it sends news of a
//! logout, the check is due at once. The user store decides, as for a request.

mod group;
mod hub;
mod login;
mod login_checker;
mod logout_signal;
mod logout_signals;
mod pages;
mod registry;
mod watch;

pub use self::logout_signal::{LogoutSignal, LogoutStream};
pub(crate) use self::{
    login::{CheckedLogin, instant_after},
    login_checker::LoginChecker,
    logout_signals::LogoutSignals,
    pages::{Page, PageLimits},
};
