//! The paths of the routes.

/// The paths of the routes. Defaults to `/clef/login` and others under `/clef`.
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

/// The error of invalid paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathsError {
    /// A path is not absolute, or has a segment with special characters.
    #[error(
        "{0:?} is not a valid path of a route: write it like `/clef/login`, with letters, digits, \
         `-`, `_`, `.` and `~` between the slashes"
    )]
    NotPlain(String),
    /// Two routes share a path.
    #[error("{0:?} is the path of two routes; give each its own")]
    Twice(String),
}

impl Paths {
    /// Creates the default paths under another prefix: `login`, `callback`, `logout`, `sign-out`,
    /// `signed-out`, `live`, `live.js` and `live/back`.
    ///
    /// # Errors
    ///
    /// [`PathsError::NotPlain`] if the prefix is not a plain absolute path. Correct it.
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

    /// Sets the path of the start route. Paths are relative to the base path of the site.
    ///
    /// # Errors
    ///
    /// [`PathsError::NotPlain`] if it is not a plain absolute path, [`PathsError::Twice`] if
    /// another route has it. Correct it.
    pub fn with_start(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.start);
        self.checked()
    }

    /// Sets the path of the callback.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_callback(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.callback);
        self.checked()
    }

    /// Sets the path of the logout webhook.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_logout(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.logout);
        self.checked()
    }

    /// Sets the path of the sign-out.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_sign_out(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.sign_out);
        self.checked()
    }

    /// Sets the path to which the provider redirects after its own sign-out.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_signed_out(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.signed_out);
        self.checked()
    }

    /// Sets the path of the events for open pages. Their script has this path with `.js`, and the
    /// end of a login over a covered page has it with `/back`.
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

    /// Whether one of the routes has this path.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.all().contains(&path)
    }

    /// A path that both have, if any.
    pub(crate) fn shared_with<'a>(&self, others: &'a Self) -> Option<&'a str> {
        let mut others = others.all().into_iter();
        others.find(|path| self.contains(path))
    }

    /// `GET`: starts a login. The query parameter `next` is the path to return to. A path of more
    /// than 480 bytes is replaced by `/`, since it is stored in a cookie.
    pub fn start(&self) -> &str {
        &self.start
    }

    /// `GET`: the redirect from the provider.
    pub fn callback(&self) -> &str {
        &self.callback
    }

    /// `POST`: the webhook for logout notices from the provider.
    pub fn logout(&self) -> &str {
        &self.logout
    }

    /// `POST`: ends the login of this browser only, unless
    /// [`sign_out_everywhere`](crate::ClefLayerBuilder::sign_out_everywhere) is set.
    pub fn sign_out(&self) -> &str {
        &self.sign_out
    }

    /// `GET`: the redirect from the provider after its own sign-out.
    pub fn signed_out(&self) -> &str {
        &self.signed_out
    }

    /// `GET`: server-sent events that signal the end of the login to an open page.
    ///
    /// `logged-in` is sent at the start if the login is valid, `logged-out` when it ends or if
    /// there is none, and `alive` every 15 seconds. The query parameter `page` is a random name of
    /// up to 64 letters and digits. With it, `logged-in` has the data `{"who":"…"}`, a pseudonym of
    /// the user for this page only. Otherwise the data is `{}`. Over HTTP/1.1 a browser opens at
    /// most six connections to a host, so the script shares one between tabs.
    pub fn live(&self) -> &str {
        &self.live
    }

    /// `GET`: the script that covers a page when its login ends, and uncovers it when the same user
    /// has logged in again.
    ///
    /// Add `<script src="/clef/live.js" data-private defer></script>` to a page for one user.
    /// Without `data-private`, a page that starts without a login is not covered. See the README
    /// for more.
    pub fn live_script(&self) -> &str {
        &self.live_script
    }

    /// `GET`: the end of a login in the window that a covered page opens. It notifies that page and
    /// closes the window.
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

/// Whether the router, `Url` and every browser read a path alike.
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
