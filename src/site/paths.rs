//! The paths of the routes.

/// The paths of a provider's routes. Defaults to `/clef/login` and others under `/clef`.
///
/// ```
/// use axum_clef::Paths;
///
/// # fn main() -> Result<(), axum_clef::PathsError> {
/// let paths = Paths::under("/auth")?;
/// assert_eq!(paths.start(), "/auth/login");
/// assert_eq!(paths.callback(), "/auth/callback");
/// assert_eq!(paths.logout(), "/auth/logout");
/// assert_eq!(paths.signed_out(), "/auth/signed-out");
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
    signed_out: String,
}

/// The error of invalid paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathsError {
    /// A path is not absolute, or has a segment with special characters.
    #[error(
        "{0:?} is not a valid path of a route: write it like `/clef/login`, with a slash at the \
         beginning, and letters, digits, `-`, `_`, `.` and `~` between the slashes"
    )]
    NotPlain(String),
    /// Two routes share a path.
    #[error("{0:?} is the path of two routes; give each its own")]
    Twice(String),
}

impl Paths {
    /// Creates the default paths under another prefix: `login`, `callback`, `logout` and
    /// `signed-out`.
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
            signed_out: path("signed-out"),
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

    /// Sets the path to which the provider redirects after its own sign-out.
    ///
    /// # Errors
    ///
    /// As [`with_start`](Self::with_start).
    pub fn with_signed_out(mut self, path: &str) -> Result<Self, PathsError> {
        path.clone_into(&mut self.signed_out);
        self.checked()
    }

    fn checked(self) -> Result<Self, PathsError> {
        check(&self.all())?;
        Ok(self)
    }

    pub(crate) fn all(&self) -> [&str; 4] {
        [&self.start, &self.callback, &self.logout, &self.signed_out]
    }

    /// `GET`: starts a login. The query parameter `next` is the path to return to. A path of more
    /// than 384 bytes is replaced by `/`, since it is stored in a cookie.
    ///
    /// `POST`: the same for a form, which may have `next` in its body.
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

    /// `GET`: the redirect from the provider after its own sign-out.
    pub fn signed_out(&self) -> &str {
        &self.signed_out
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            start: "/clef/login".to_owned(),
            callback: "/clef/callback".to_owned(),
            logout: "/clef/logout".to_owned(),
            signed_out: "/clef/signed-out".to_owned(),
        }
    }
}

/// The paths of the routes for open pages, below the base path.
#[cfg(feature = "live")]
pub(crate) struct LivePaths {
    pub(crate) events: String,
    pub(crate) script: String,
    /// Where a login ends in the window that a covered page opens.
    pub(crate) back: String,
}

#[cfg(feature = "live")]
impl LivePaths {
    pub(crate) fn new(events: &str) -> Self {
        Self {
            events: events.to_owned(),
            script: format!("{events}.js"),
            back: format!("{events}/back"),
        }
    }

    pub(crate) fn all(&self) -> [&str; 3] {
        [&self.events, &self.script, &self.back]
    }
}

/// Checks the paths of routes that are served together.
pub(crate) fn check(paths: &[&str]) -> Result<(), PathsError> {
    for (index, path) in paths.iter().enumerate() {
        if !is_plain(path) {
            return Err(PathsError::NotPlain((*path).to_owned()));
        }
        if paths[..index].contains(path) {
            return Err(PathsError::Twice((*path).to_owned()));
        }
    }
    Ok(())
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

    #[test]
    fn the_path_after_a_sign_out_is_set_and_the_others_stay() {
        let paths = Paths::under("/auth").unwrap();
        let paths = paths.with_signed_out("/bye").unwrap();
        assert_eq!(paths.signed_out(), "/bye");
        assert_eq!(paths.start(), "/auth/login");
        assert_eq!(
            paths.with_signed_out("/auth/login"),
            Err(PathsError::Twice("/auth/login".to_owned()))
        );
    }
}
