//! The texts of the pages in English, and the trait that translates them.

use std::borrow::Cow;

/// Declares the texts with their English.
macro_rules! texts {
    ($($(#[doc = $note:literal])? $name:ident = $english:literal;)*) => {
        /// A text on a page of this crate, or on the cover of a page whose login has ended.
        ///
        /// The documentation of each variant is its English. A text has one placeholder at the
        /// most, which a translation repeats: `{provider}` is the name of a provider, `{when}` is
        /// [`AtTime`](Self::AtTime) or nothing, and `{time}` is a date and a time.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum PageText {
            $(
                #[doc = concat!("“", $english, "”")]
                $(#[doc = concat!("\n\n", $note)])?
                $name,
            )*
        }

        impl PageText {
            /// All texts, for a test that each is translated.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The text in English.
            pub fn english(self) -> &'static str {
                match self {
                    $(Self::$name => $english,)*
                }
            }
        }
    };
}

texts! {
    LogIn = "Log in";
    LogInWith = "Log in with {provider}";
    #[doc = "Stands for `{provider}` where no provider is known. It begins sentences."]
    LoginService = "The login service";
    FrontPage = "Go to the front page";
    TryAgain = "Try again";
    SignOut = "Sign out";
    GoBack = "Go back";
    Continue = "Continue";

    ContinueToLogIn = "Continue to log in";
    SignedOutHere = "You are signed out here";
    CloseWindowTitle = "You can close this window";
    CloseWindow = "You can close this window and return to your page.";

    BadRequestTitle = "Invalid login link";
    BadRequest = "This login link is invalid. Please start again.";
    StateMismatchTitle = "This login is no longer valid";
    StateMismatch = "It was started in another browser, has expired or was already used. Please start again.";
    DeclinedTitle = "The login was not completed";
    Declined = "{provider} did not complete the login. You can try again at any time.";
    RefusedTitle = "{provider} did not confirm the login";
    Refused = "The login has expired or was already used. Please log in again.";
    TurnedAwayTitle = "You cannot log in here";
    TurnedAway = "{provider} has confirmed who you are, but you have no access to this site.";
    LoggedOutMeanwhileTitle = "You were logged out during the login";
    LoggedOutMeanwhile = "Please log in again.";
    OtherUserTitle = "This is another account";
    OtherUser = "Nothing has changed. Sign out at {provider}, then log in again with your own account.";
    LinkedToOtherUserTitle = "This account at {provider} is not free";
    LinkedToOtherUser = "It belongs to another user of this site. Nothing has changed.";
    NotReauthenticatedTitle = "{provider} did not ask who you are";
    NotReauthenticated = "Nothing has changed. Sign out at {provider}, then log in again.";
    ForeignOriginTitle = "Sign-out blocked";
    ForeignOrigin = "Another site tried to sign you out. Nothing has changed.";
    ProviderUnavailableTitle = "{provider} is temporarily unavailable";
    LogInLater = "Please log in again in a few minutes.";
    OverloadedTitle = "Too many logins at once";
    Overloaded = "Please try again in a few seconds.";
    UnavailableTitle = "Temporarily unavailable";
    Unavailable = "Please try again in a few minutes.";
    NotSignedOutTitle = "You are not signed out yet";
    NotSignedOut = "Your logins have not ended yet. Please sign out again before you leave this device.";
    SignOutIncompleteTitle = "You are signed out in this browser";
    SignOutIncomplete = "If you logged in with another service, sign out there too.";
    SignOutIncompleteAt = "You may still be logged in with {provider}. Sign out there too.";
    MisconfiguredTitle = "This site is misconfigured";
    #[doc = "A reason in English follows, for the operator."]
    Misconfigured = "Please contact its operator:";
    ProviderMisconfigured = "{provider} does not accept this site. Please contact its operator.";

    NotSavedTitle = "You are logged out";
    NotSaved = "What you sent was not saved. Log in and send it again.";
    NotRecentTitle = "Please log in again";
    NotRecent = "What you sent was not saved: it needs a recent login.";
    ForbiddenTitle = "You may not do this";
    Forbidden = "Your account does not have permission for this.";

    FormTitle = "You are not logged in";
    FormCrossOrigin = "A page of another site sent this. Open the login page here and log in again.";
    FormTurnedAway = "You cannot log in with this account.";
    FormLoggedOutMeanwhile = "You were logged out in the meantime. Please log in again.";
    FormOtherUser = "This is another account than the one you are logged in with. Log in again with your own.";
    FormExpired = "This login took too long. Please start again.";
    FormUnavailable = "Logging in is not possible right now. Please try again in a few minutes.";
    FormMisconfigured = "This site is misconfigured. Please contact its operator.";

    OtherLoginsTitle = "Your other logins";
    OtherLoginsUnavailable = "Your other logins may still be active. Please try again in a few minutes.";
    OtherLoginsNotKept = "You were logged out on all devices, also on this one. Please log in again.";

    #[doc = "Stands for `{when}`, with the space before it."]
    AtTime = " at {time}";
    Expired = "Your login has expired.";
    LoggedOut = "You were logged out{when}.";
    LoggedOutByUser = "You logged out{when}, here or on another device.";
    LoggedOutByAdministrator = "An administrator logged you out{when}.";
    LoggedOutByProvider = "You were logged out{when} by the service that you log in with.";
    LoggedOutByCredentials = "You were logged out{when} because your password or another credential was changed.";
    LoggedOutByPolicy = "You were logged out{when} by a security rule.";

    CoverTitle = "You are logged out";
    #[doc = "The first sentence on the cover, where no other says how the login ended."]
    CoverEnded = "Your login has ended, here or on another device.";
    CoverText = "Log in again in a new window, and this page stays as you left it.";
    CoverButton = "Log in again";
    CoverWait = "One moment: are you still logged in?";
}

impl PageText {
    /// The parts of a text in English or in another language, before its placeholder and after it.
    pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
        let Some((before, rest)) = text.split_once('{') else {
            return (text, None);
        };
        match rest.split_once('}') {
            Some((_, after)) => (before, Some(after)),
            None => (text, None),
        }
    }
}

/// The texts of the pages in another language: a function from a [`PageText`] to a text, or a type
/// of the application's that reads them from files.
///
/// A text is plain, not HTML, and is escaped. It has the placeholder of
/// [its English](PageText::english), such as `{provider}`.
///
/// ```
/// use axum_clef::{ClefLayerBuilder, PageText, UserStore};
///
/// fn german(text: PageText) -> Option<&'static str> {
///     Some(match text {
///         PageText::LogIn => "Anmelden",
///         PageText::LogInWith => "Mit {provider} anmelden",
///         // And so on: `PageText::ALL` lists the texts.
///         _ => return None,
///     })
/// }
///
/// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
/// auth.translation("de", german)
/// # }
/// ```
pub trait Translation: Send + Sync + 'static {
    /// The text in this language; `None` where it is missing. The page then has it in English, marked
    /// as such.
    fn text(&self, text: PageText) -> Option<Cow<'_, str>>;
}

impl<F: Fn(PageText) -> Option<&'static str> + Send + Sync + 'static> Translation for F {
    fn text(&self, text: PageText) -> Option<Cow<'_, str>> {
        self(text).map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_text_has_one_placeholder_at_the_most() {
        assert_eq!(
            PageText::ALL.iter().collect::<HashSet<_>>().len(),
            PageText::ALL.len()
        );
        for text in PageText::ALL {
            let english = text.english();
            let (_, after) = PageText::split(english);
            assert!(!after.unwrap_or_default().contains('{'), "{english}");
        }
    }

    #[test]
    fn a_text_is_split_at_its_placeholder() {
        for (text, parts) in [
            ("a {provider} b", ("a ", Some(" b"))),
            ("{provider}", ("", Some(""))),
            ("plain", ("plain", None)),
            ("half {", ("half {", None)),
            ("}{", ("}{", None)),
        ] {
            assert_eq!(PageText::split(text), parts, "{text}");
        }
    }
}
