//! The login button of a provider.

use url::Url;

/// A script that draws a login button, and the attributes that its tag carries.
#[derive(Debug, Clone)]
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
