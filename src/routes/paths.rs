//! Where the routes lie.

/// The paths of the four routes. By default they lie under `/clef`.
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
///
/// let paths = Paths::new("/login", "/login/done", "/hooks/logout", "/goodbye")?;
/// assert_eq!(paths.logout(), "/hooks/logout");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    start: String,
    callback: String,
    logout: String,
    sign_out: String,
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
    /// Four paths of your own, as seen from outside: the provider and the browser go there.
    ///
    /// # Errors
    ///
    /// When one is not a plain absolute path, or is there twice.
    pub fn new(
        start: &str,
        callback: &str,
        logout: &str,
        sign_out: &str,
    ) -> Result<Self, PathsError> {
        let paths = [start, callback, logout, sign_out];
        for (index, path) in paths.iter().enumerate() {
            if !is_plain(path) {
                return Err(PathsError::NotPlain((*path).to_owned()));
            }
            if paths[..index].contains(path) {
                return Err(PathsError::Twice((*path).to_owned()));
            }
        }
        let [start, callback, logout, sign_out] = paths.map(str::to_owned);
        Ok(Self {
            start,
            callback,
            logout,
            sign_out,
        })
    }

    /// `login`, `callback`, `logout` and `sign-out` under a path of your own.
    ///
    /// # Errors
    ///
    /// When it is not a plain absolute path.
    pub fn under(prefix: &str) -> Result<Self, PathsError> {
        let path = |name: &str| format!("{}/{name}", prefix.trim_end_matches('/'));
        Self::new(
            &path("login"),
            &path("callback"),
            &path("logout"),
            &path("sign-out"),
        )
    }

    /// Whether one of the routes lies there.
    pub(super) fn contains(&self, path: &str) -> bool {
        [&self.start, &self.callback, &self.logout, &self.sign_out]
            .into_iter()
            .any(|route| route == path)
    }

    /// `GET`: begins a login. Takes `next`, the path on this site to come back to.
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

    /// `POST`: ends the login of this browser alone.
    pub fn sign_out(&self) -> &str {
        &self.sign_out
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            start: "/clef/login".to_owned(),
            callback: "/clef/callback".to_owned(),
            logout: "/clef/logout".to_owned(),
            sign_out: "/clef/sign-out".to_owned(),
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
            Paths::new("/a", "/b", "/a", "/c"),
            Err(PathsError::Twice("/a".to_owned()))
        );
    }
}
