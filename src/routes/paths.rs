//! Where the routes lie.

/// The paths of the routes. By default they lie under `/clef`.
///
/// ```
/// use axum_clef::Paths;
///
/// # fn main() -> Result<(), axum_clef::PathsError> {
/// let paths = Paths::under("/auth")?;
/// assert_eq!(paths.start(), "/auth/login");
/// assert_eq!(paths.callback(), "/auth/callback");
/// assert_eq!(paths.logout(), "/auth/logout");
/// assert_eq!(paths.sign_out(), "/auth/sign-out");
/// assert_eq!(paths.signed_out(), "/auth/signed-out");
/// assert_eq!(paths.live(), "/auth/live");
/// assert_eq!(paths.live_script(), "/auth/live.js");
/// assert_eq!(paths.live_back(), "/auth/live/back");
///
/// let paths = paths.with_start("/login")?.with_logout("/hooks/logout")?;
/// assert_eq!(paths.start(), "/login");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    start: String,
    callback: String,
    logout: String,
    sign_out: String,
    signed_out: String,
    live: String,
    live_script: String,
    live_back: String,
}

/// Why paths cannot be those of the routes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathsError {
    /// A path is not absolute, or not made of plain segments.
    #[error(
        "{0:?} cannot be the path of a route: write it like `/clef/login`, with letters, digits, \
         `-`, `_`, `.` and `~` between the slashes"
    )]
    NotPlain(String),
    /// Two routes share a path.
    #[error("{0:?} is the path of two routes; give each its own")]
    Twice(String),
}

impl Paths {
    /// `login`, `callback`, `logout`, `sign-out`, `signed-out`, `live`, `live.js` and `live/back`
    /// under a path of your own.
    ///
    /// # Errors
    ///
    /// When it is not a plain absolute path.
    pub fn under(prefix: &str) -> Result<Self, PathsError> {
        let path = |name: &str| format!("{}/{name}", prefix.trim_end_matches('/'));
        Self {
            start: path("login"),
            callback: path("callback"),
            logout: path("logout"),
            sign_out: path("sign-out"),
            signed_out: path("signed-out"),
            live: path("live"),
            live_script: path("live.js"),
            live_back: path("live/back"),
        }
        .checked()
    }

    /// With a start route of your own path, as seen from outside, like all of them: the provider
    /// and the browser go there.
    ///
    /// # Errors
    ///
    /// When it is not a plain absolute path, or that of another route.
    pub fn with_start(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.start);
        self.checked()
    }

    /// With a callback of your own path.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_callback(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.callback);
        self.checked()
    }

    /// With a logout webhook of your own path.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_logout(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.logout);
        self.checked()
    }

    /// With a sign-out of your own path.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_sign_out(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.sign_out);
        self.checked()
    }

    /// With a way back from the provider's own sign-out of your own path.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_signed_out(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.signed_out);
        self.checked()
    }

    /// With the events for open pages at your own path, their script at that with `.js` and the
    /// way back from a login over such a page at that with `/back`.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_live(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.live);
        self.live_script = format!("{path}.js");
        self.live_back = format!("{path}/back");
        self.checked()
    }

    fn checked(self) -> Result<Self, PathsError> {
        let paths = self.all();
        for (index, path) in paths.iter().enumerate() {
            if !is_plain(path) {
                return Err(PathsError::NotPlain((*path).to_owned()));
            }
            if paths[..index].contains(path) {
                return Err(PathsError::Twice((*path).to_owned()));
            }
        }
        Ok(self)
    }

    fn all(&self) -> [&str; 8] {
        [
            &self.start,
            &self.callback,
            &self.logout,
            &self.sign_out,
            &self.signed_out,
            &self.live,
            &self.live_script,
            &self.live_back,
        ]
    }

    /// Whether one of the routes lies there.
    pub(super) fn contains(&self, path: &str) -> bool {
        self.all().contains(&path)
    }

    /// A path that these have in common with others.
    pub(crate) fn shared_with<'a>(&self, others: &'a Self) -> Option<&'a str> {
        let mut others = others.all().into_iter();
        others.find(|path| self.contains(path))
    }

    /// `GET`: begins a login. Takes `next`, the path on this site to come back to. One of more than
    /// 480 bytes leads to `/` instead, as it travels in a cookie.
    pub fn start(&self) -> &str {
        &self.start
    }

    /// `GET`: where the provider sends the browser back to.
    pub fn callback(&self) -> &str {
        &self.callback
    }

    /// `POST`: the webhook, where the provider says that somebody has logged out.
    pub fn logout(&self) -> &str {
        &self.logout
    }

    /// `POST`: ends the login of this browser alone, unless
    /// [`sign_out_everywhere`](crate::ClefLayer::sign_out_everywhere) is set.
    pub fn sign_out(&self) -> &str {
        &self.sign_out
    }

    /// `GET`: where the browser comes back to if the sign-out went on at the provider.
    pub fn signed_out(&self) -> &str {
        &self.signed_out
    }

    /// `GET`: tells an open page that its login has ended, by server-sent events: `logged-in` at
    /// the start if the login counts, `logged-out` when it ends or if there is none, and `alive`
    /// every 15 seconds. A page that sends `page`, up to 64 letters and digits of its own that
    /// nobody can guess, gets with `logged-in` what tells its person from others, and means
    /// nothing to any other page: `{"who":"…"}`. Nothing else is said (`{}`). Over HTTP/1.1 a
    /// browser keeps no more than six connections to a host; the script shares.
    pub fn live(&self) -> &str {
        &self.live
    }

    /// `GET`: the script that covers a page when its login ends, and uncovers it when the same
    /// person has logged in again. `<script src="/clef/live.js" data-private defer></script>` in
    /// a page that is made for somebody is all; without `data-private` a page is left alone that
    /// begins without a login. The README has the rest.
    pub fn live_script(&self) -> &str {
        &self.live_script
    }

    /// `GET`: where the window ends in which somebody logs in again over a covered page. It tells
    /// that page to look, and closes itself.
    pub fn live_back(&self) -> &str {
        &self.live_back
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            start: "/clef/login".to_owned(),
            callback: "/clef/callback".to_owned(),
            logout: "/clef/logout".to_owned(),
            sign_out: "/clef/sign-out".to_owned(),
            signed_out: "/clef/signed-out".to_owned(),
            live: "/clef/live".to_owned(),
            live_script: "/clef/live.js".to_owned(),
            live_back: "/clef/live/back".to_owned(),
        }
    }
}

/// Whether a path means the same to the router, to `Url` and to every browser.
fn is_plain(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    segments.split('/').all(|segment| {
        !segment.is_empty()
            && segment != "."
            && segment != ".."
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_taken() {
        assert_eq!(Paths::under("/clef"), Ok(Paths::default()));
        assert_eq!(Paths::under("/clef/"), Ok(Paths::default()));
        assert!(Paths::under("").is_ok(), "the routes may lie at the top");
        for bad in [
            "clef", "//clef", "/cl ef", "/{id}", "/../clef", "/clef?x", "/clé",
        ] {
            assert!(
                matches!(Paths::under(bad), Err(PathsError::NotPlain(_))),
                "{bad}"
            );
        }
        assert_eq!(
            Paths::default().with_logout("/clef/login"),
            Err(PathsError::Twice("/clef/login".to_owned()))
        );
    }
}
