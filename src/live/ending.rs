//! How a login ended.

/// How a login ended, as [`LoginEnd`](crate::LoginEnd) says it: for a message to the person, or a
/// line in a log. Whatever it says, the login does not count any more, or cannot be vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginEnding {
    /// Logged out everywhere, or with its session at the provider; or there is no such user any
    /// more.
    LoggedOut,
    /// Signed out on this device, by the sign-out route.
    SignedOut,
    /// Its session was deleted or got a new id: the application did so, or somebody logged in
    /// anew in this browser, or it was signed out at another node. The browser's next request
    /// shows who is there now.
    SessionGone,
    /// Its lifetime or its idle time is over.
    Expired,
    /// The stores have not answered for a minute, so nobody knows. The next request is 503 until
    /// they do.
    Unknown,
}
