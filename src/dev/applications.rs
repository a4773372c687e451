use std::fmt;

/// An application that the [`ClefService`](super::ClefService) knows: what a site that offers the
/// login is configured with.
///
/// `Debug` leaves the secret out, as it would for a real one.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Application {
    /// What the site shows to everybody, in the address of the login page: 32 lower-case hex
    /// digits.
    pub id: &'static str,
    /// What the site proves itself with when it exchanges a code or a logout token: 32 lower-case
    /// hex digits.
    pub secret: &'static str,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The two applications that exist from the start.
///
/// Clef published both with its own libraries, secrets included, so that people could test
/// against them. They open nothing but this service.
pub static TEST_APPLICATIONS: [Application; 2] = [
    Application {
        id: "4f318ac177a9391c2e0d221203725ffd",
        secret: "2125d80f4583c52c46f8084bcc030c9b",
    },
    Application {
        id: "da242b09262a021a8dbbee5b6346f750",
        secret: "5e18dbf4e817f0608a56b470537b22c2",
    },
];

/// The application with exactly this id.
pub(super) fn find(id: &str) -> Option<&'static Application> {
    TEST_APPLICATIONS
        .iter()
        .find(|application| application.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_exactly() {
        let id = TEST_APPLICATIONS[1].id;
        assert_eq!(find(id), Some(&TEST_APPLICATIONS[1]));
        assert_eq!(find(&id.to_uppercase()), None);
        assert_eq!(find(&format!("{id} ")), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn debug_keeps_the_secret() {
        for application in &TEST_APPLICATIONS {
            let shown = format!("{application:?}");
            assert!(shown.contains(application.id));
            assert!(!shown.contains(application.secret));
        }
    }
}
