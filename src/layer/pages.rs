//! The settings of the pages: their languages and their look.

use super::{BuildError, ClefLayerBuilder};
use crate::{Translation, UserStore};

impl<S: UserStore> ClefLayerBuilder<S> {
    /// Shows the pages of this crate in another language to users who prefer it, by the header
    /// `Accept-Language`. Defaults to English alone, which stays the language for all others.
    ///
    /// `language` is a tag such as `de` or `pt-BR`; `de` is also for users who ask for `de-AT`. Call
    /// this once for each language. A translation for `en` changes the English. Scripts receive
    /// English, as does the `Display` of errors. [The guide](crate::guide::pages) has more.
    ///
    /// ```
    /// use axum_clef::{ClefLayerBuilder, PageText, UserStore};
    ///
    /// fn french(text: PageText) -> Option<&'static str> {
    ///     Some(match text {
    ///         PageText::LogIn => "Se connecter",
    ///         PageText::LogInWith => "Se connecter avec {provider}",
    ///         _ => return None, // English, for a text that is new
    ///     })
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.translation("fr", french)
    /// # }
    /// ```
    pub fn translation(mut self, language: &str, translation: impl Translation) -> Self {
        self.pages.languages.add(language, translation);
        self
    }

    /// Adds a style sheet to the pages of this crate: the colors of the application, by a few
    /// variables. Defaults to none.
    ///
    /// The policy of the pages blocks what a style sheet loads: imports, fonts and images.
    /// [The guide](crate::guide::pages) lists the variables.
    ///
    /// ```
    /// use axum_clef::{ClefLayerBuilder, UserStore};
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.page_style(":root { --clef-accent: light-dark(#7a1fa2, #d8a6ec) }")
    /// # }
    /// ```
    pub fn page_style(mut self, style: impl Into<String>) -> Self {
        self.pages.style = Some(style.into());
        self
    }

    pub(super) fn check_pages(&self) -> Result<(), BuildError> {
        if let Some(language) = self.pages.languages.wrong() {
            return Err(BuildError::Language(language.to_owned()));
        }
        let style = self.pages.style.as_deref().unwrap_or_default();
        match style.contains('<') {
            true => Err(BuildError::PageStyle),
            false => Ok(()),
        }
    }
}
