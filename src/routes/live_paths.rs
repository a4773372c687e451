//! The paths of the routes for open pages.

/// The paths of the routes for open pages, below the base path.
pub(crate) struct LivePaths {
    pub(crate) events: String,
    pub(crate) script: String,
    /// Where a login ends in the window that a covered page opens.
    pub(crate) back: String,
}

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
