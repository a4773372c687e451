//! Settings that cannot work.

use std::error::Error as _;

use crate::{AddressError, PathsError, provider::ProviderError};

/// A setting of [`ClefLayer::builder`](crate::ClefLayer::builder) that cannot work, and what to do
/// about it. Its text includes the cause, so it has no `source`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The site is not an `https` URL, or `http` on loopback.
    #[error("`site` cannot be the address of the site: {0}")]
    Site(AddressError),
    /// Two routes have one path, or a path cannot be one.
    #[error(
        "`provider`, `provider_at`, `logout_endpoint`, `sign_out_path` or `live_path` cannot mount a \
         route: {0}; a second provider is mounted with `provider_at`"
    )]
    Paths(PathsError),
    /// The settings of a provider do not fit the provider or the site.
    #[error("the provider {provider:?} cannot work: {}", cause(.error))]
    Provider {
        /// The name of the provider.
        provider: String,
        /// The error, whose `source` is the error of the provider, such as an `OidcError`.
        error: ProviderError,
    },
    /// The settings of a logout endpoint, or of events that are polled, cannot work.
    #[error("the logout endpoint at {path:?} cannot work: {}", cause(.error))]
    LogoutEndpoint {
        /// The path of the endpoint, or the URL that is polled.
        path: String,
        /// The error, whose `source` is the error of the endpoint, such as a `SecurityEventError`.
        error: ProviderError,
    },
    /// The login page is no path of the site, or one that a route has.
    #[error(
        "`login_page` is {0:?}: write the path of a page of your own, like \"/log-in\", that is none of \
         the ready routes and of no logout endpoint"
    )]
    LoginPage(String),
    /// The page after a sign-out is no path of the site, or the path of a route that is no page.
    #[error(
        "`after_sign_out` is {0:?}: write the path of a page of your own, such as \"/\", that is \
         none of the ready routes"
    )]
    AfterSignOut(String),
    /// Neither a provider nor a login page: unauthenticated users could be sent nowhere.
    #[error("there is no way to log in: set a `provider`, a `login_page`, or both")]
    NoLogin,
    /// The name is not one of a cookie.
    #[error(
        "`cookie_name` is {0:?}: use 1 to 64 letters, digits, `-` and `_`, without the prefix \
         `__Host-`, which is added where the site is https"
    )]
    CookieName(String),
    /// Browsers would refuse cookies of this domain from the site, or share them with no host.
    #[error(
        "`cookie_domain` is {0:?}, which the site is not in, or which is no domain with other hosts, \
         like a top-level domain or an IP address; set another, or none"
    )]
    CookieDomain(String),
    /// The trusted origin is no origin, or one that needs no trust or whose pages send no cookie.
    #[error(
        "`trusted_origin` is {0:?}: write scheme, host and port of another origin on the domain of \
         the site, with its scheme and once, like \"https://app.example.com\""
    )]
    TrustedOrigin(String),
    /// The language of a translation is no language tag, or has a translation already.
    #[error(
        "`translation` has the language {0:?}: write each language once, as a tag such as \"de\" or \
         \"pt-BR\""
    )]
    Language(String),
    /// The style of the pages would end its element.
    #[error("`page_style` contains `<`, which no style sheet needs; remove it")]
    PageStyle,
    /// A limit that lets nothing through.
    #[error("`{0}` is or has a limit of zero, which lets nothing through; set at least one")]
    Zero(&'static str),
    /// A setting for providers, where there is none.
    #[error("`{0}` has no effect without a provider; add a `provider`, or remove it")]
    NoProvider(&'static str),
    /// A setting for logout notices, where none can arrive.
    #[error(
        "`{0}` has no effect without a provider or a logout endpoint; add a `provider` or a \
         `logout_endpoint`, or remove it"
    )]
    NoLogoutEndpoint(&'static str),
    /// An endpoint ends sessions that the user store notes, and this one notes none.
    #[error(
        "the logout endpoint at {0:?} ends single sessions, and the user store does not note them or \
         cannot end one; implement `IdentityStore::notes_sessions`, `note_session` and \
         `session_user`, and `UserStore::keeps_revocations`, `revoke` and `revoked_at`"
    )]
    SessionsNotNoted(String),
    /// An endpoint names persons by identifiers, and the user store finds no user by one.
    #[error(
        "the logout endpoint at {0:?} names persons by identifiers such as e-mail addresses, and the \
         user store knows none; implement `IdentityStore::knows_identifiers` and `users_of`"
    )]
    IdentifiersNotKnown(String),
    /// A proxy that strips a base path, in front of a site that has none.
    #[error(
        "`base_path_stripped` has no effect: `site` has no base path; write it there, as in \
         \"https://example.com/app\", or remove the setting"
    )]
    NoBasePath,
    /// A limit above another that is reached first.
    #[error(
        "`{0}` has no effect: it is more than `{1}`, which is reached first; raise that, or set less"
    )]
    NeverReached(&'static str, &'static str),
    /// Logins cannot be sealed without a key.
    #[error("`Sessions::sealed` has no key; give it at least one")]
    NoSessionKey,
    /// A sealed login can only be signed out where its end is recorded.
    #[error(
        "logins are sealed, and the user store keeps no revocations: a sign-out would end no copy of \
         a cookie; implement `UserStore::keeps_revocations`, `revoke` and `revoked_at`, or keep logins in \
         a session store"
    )]
    RevocationsNotKept,
    /// Bearer tokens cannot be sealed without a key.
    #[error("`bearer_tokens` has no key; give it at least one")]
    NoTokenKey,
    /// A bearer token can only be ended by its id where its end is recorded.
    #[error(
        "`bearer_tokens` is set, and the user store keeps no revocations: no token could be ended \
         alone; implement `UserStore::keeps_revocations`, `revoke` and `revoked_at`, or remove the setting"
    )]
    TokensNotRevocable,
}

// By hand: a `#[from]` field is a `source`, which would repeat the text.
impl From<AddressError> for BuildError {
    fn from(error: AddressError) -> Self {
        Self::Site(error)
    }
}

impl From<PathsError> for BuildError {
    fn from(error: PathsError) -> Self {
        Self::Paths(error)
    }
}

/// The provider's own error.
fn cause(error: &ProviderError) -> String {
    let source = error.source().map(ToString::to_string);
    source.unwrap_or_else(|| error.to_string())
}
