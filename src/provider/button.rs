//! The login button of a provider.

use std::fmt;

use url::Url;

/// A script that draws a login button, and the attributes that its tag carries.
#[derive(Clone)]
#[non_exhaustive]
pub struct ButtonScript {
    /// The address of the script.
    pub source: Url,
    /// The `class` of the tag, by which the script finds it.
    pub class: &'static str,
    /// The `data-…` attributes, name and value. Escaped where they are printed.
    pub attributes: Vec<(&'static str, String)>,
}

impl ButtonScript {
    /// A script at `source` that finds its tag by `class`.
    pub fn new(source: Url, class: &'static str) -> Self {
        Self {
            source,
            class,
            attributes: Vec::new(),
        }
    }

    /// Adds a `data-…` attribute.
    #[must_use]
    pub fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }
}

impl fmt::Debug for ButtonScript {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names only: the state of a login is among the values.
        let attributes: Vec<_> = self.attributes.iter().map(|(name, _)| name).collect();
        formatter
            .debug_struct("ButtonScript")
            .field("source", &self.source.as_str())
            .field("class", &self.class)
            .field("attributes", &attributes)
            .finish()
    }
}
