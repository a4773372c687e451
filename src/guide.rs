//! The guide, one chapter a module.
//!
//! 1. [Glossary](glossary): what "sign out", "log out" and other words mean here
//! 1. [Getting started](getting_started): wrap a router; the features
//! 1. [Guards](guards): extractors, and what unauthenticated users receive
//! 1. [Permissions](permissions): what not every user may do
//! 1. [Recent logins](recent_logins): asking for the credentials again
//! 1. [Routes](routes): the paths of login and logout
//! 1. [The pages of this crate](pages): their languages and their colors
//! 1. [Your own users](user_store): a user store over a table that exists already
//! 1. [Your own users in PostgreSQL](user_store_postgres): the same on several machines
//! 1. [The contract of a user store](user_store_contract): its test and its optional methods
//! 1. [Forms of your own](own_forms): passwords, and logins in several steps;
//!    [passkeys and links](passkeys_and_links)
//! 1. [Testing your site](testing): through the router, without a server
//! 1. [Tokens for programs](tokens): a CLI, a script, an application on a phone
//! 1. [Linking identities](linking): one user by a form and by providers
//! 1. [Signing out and logging out](logging_out): here, or everywhere
//! 1. [Your application's own sessions](application_sessions)
//! 1. [Closing open connections](open_connections): WebSockets, streams and downloads
//! 1. [Pages that cover themselves](covered_pages)
//! 1. [Several machines](several_machines): PostgreSQL, Redis and any number of nodes
//! 1. [Logins sealed in the cookie](sealed_cookies)
//! 1. [OpenID Connect](oidc), and [the settings of providers](oidc_providers)
//! 1. [Conformance](conformance): the tests of the OpenID Foundation, and ours
//! 1. [GitHub, and other OAuth 2.0 providers](oauth2), and the tokens of a provider
//! 1. [Logout notices](logout_endpoints): what each provider sends
//! 1. [Security events](security_events): revoked sessions and disabled accounts at Okta, Google and others
//! 1. [Clef, and the local Clef](clef)
//! 1. [The order of layers, and expired sessions](layers)
//! 1. [Front ends in JavaScript](script_front_ends): the JSON of a 401, and another origin
//! 1. [Coming from axum-login](coming_from_axum_login), or [from tower-sessions, Passport or Spring
//!    Security](coming_from_others); [moving existing users](moving_users)
//! 1. [Operating a site](operating)
//! 1. [The promise and its limits](promise), the [threat model](security), and
//!    [how we know](how_we_know)
//! 1. [Performance](performance)
//! 1. [Versions and support](versions): what a breaking change is

/// Makes a module of each file. Its links to other files become links to their modules: the
/// definitions stand before those in the file, and the first definition of a link counts.
macro_rules! chapters {
    ($($name:ident)*) => {
        $(
            #[doc = "[application_sessions]: crate::guide::application_sessions"]
            #[doc = "[application_sessions#a-session-layer-that-you-have]: crate::guide::application_sessions#a-session-layer-that-you-have"]
            #[doc = "[clef]: crate::guide::clef"]
            #[doc = "[coming_from_axum_login]: crate::guide::coming_from_axum_login"]
            #[doc = "[coming_from_others]: crate::guide::coming_from_others"]
            #[doc = "[conformance]: crate::guide::conformance"]
            #[doc = "[covered_pages]: crate::guide::covered_pages"]
            #[doc = "[getting_started]: crate::guide::getting_started"]
            #[doc = "[getting_started#the-address-of-the-client]: crate::guide::getting_started#the-address-of-the-client"]
            #[doc = "[getting_started#tls]: crate::guide::getting_started#tls"]
            #[doc = "[glossary]: crate::guide::glossary"]
            #[doc = "[guards]: crate::guide::guards"]
            #[doc = "[layers#deleting-expired-sessions]: crate::guide::layers#deleting-expired-sessions"]
            #[doc = "[layers#the-order-of-layers]: crate::guide::layers#the-order-of-layers"]
            #[doc = "[linking]: crate::guide::linking"]
            #[doc = "[logging_out]: crate::guide::logging_out"]
            #[doc = "[logging_out#all-other-logins]: crate::guide::logging_out#all-other-logins"]
            #[doc = "[logging_out#after-a-breach]: crate::guide::logging_out#after-a-breach"]
            #[doc = "[logging_out#locking-an-account]: crate::guide::logging_out#locking-an-account"]
            #[doc = "[logging_out#why-a-user-was-logged-out]: crate::guide::logging_out#why-a-user-was-logged-out"]
            #[doc = "[logout_endpoints]: crate::guide::logout_endpoints"]
            #[doc = "[logout_endpoints#front-channel-logout]: crate::guide::logout_endpoints#front-channel-logout"]
            #[doc = "[logout_endpoints#an-endpoint-of-your-own]: crate::guide::logout_endpoints#an-endpoint-of-your-own"]
            #[doc = "[moving_users]: crate::guide::moving_users"]
            #[doc = "[moving_users#passwords]: crate::guide::moving_users#passwords"]
            #[doc = "[oauth2]: crate::guide::oauth2"]
            #[doc = "[oauth2#calling-the-providers-api]: crate::guide::oauth2#calling-the-providers-api"]
            #[doc = "[oidc]: crate::guide::oidc"]
            #[doc = "[operating#metrics]: crate::guide::operating#metrics"]
            #[doc = "[oidc#register-the-site]: crate::guide::oidc#register-the-site"]
            #[doc = "[oidc#signing-out]: crate::guide::oidc#signing-out"]
            #[doc = "[oidc#several-providers]: crate::guide::oidc#several-providers"]
            #[doc = "[oidc#which-logins-end]: crate::guide::oidc#which-logins-end"]
            #[doc = "[oidc_providers]: crate::guide::oidc_providers"]
            #[doc = "[open_connections]: crate::guide::open_connections"]
            #[doc = "[open_connections#file-descriptors]: crate::guide::open_connections#file-descriptors"]
            #[doc = "[open_connections#how-fast-a-connection-closes]: crate::guide::open_connections#how-fast-a-connection-closes"]
            #[doc = "[open_connections#limits-of-open-pages]: crate::guide::open_connections#limits-of-open-pages"]
            #[doc = "[own_forms]: crate::guide::own_forms"]
            #[doc = "[own_forms#changing-the-password]: crate::guide::own_forms#changing-the-password"]
            #[doc = "[own_forms#what-is-left-to-the-application]: crate::guide::own_forms#what-is-left-to-the-application"]
            #[doc = "[passkeys_and_links]: crate::guide::passkeys_and_links"]
            #[doc = "[pages]: crate::guide::pages"]
            #[doc = "[pages#another-language]: crate::guide::pages#another-language"]
            #[doc = "[pages#your-colors]: crate::guide::pages#your-colors"]
            #[doc = "[performance]: crate::guide::performance"]
            #[doc = "[permissions]: crate::guide::permissions"]
            #[doc = "[promise]: crate::guide::promise"]
            #[doc = "[performance#open-pages]: crate::guide::performance#open-pages"]
            #[doc = "[promise#limits]: crate::guide::promise#limits"]
            #[doc = "[recent_logins]: crate::guide::recent_logins"]
            #[doc = "[recent_logins#scripts]: crate::guide::recent_logins#scripts"]
            #[doc = "[routes]: crate::guide::routes"]
            #[doc = "[script_front_ends]: crate::guide::script_front_ends"]
            #[doc = "[script_front_ends#a-401]: crate::guide::script_front_ends#a-401"]
            #[doc = "[script_front_ends#another-origin]: crate::guide::script_front_ends#another-origin"]
            #[doc = "[sealed_cookies]: crate::guide::sealed_cookies"]
            #[doc = "[sealed_cookies#keys]: crate::guide::sealed_cookies#keys"]
            #[doc = "[sealed_cookies#what-differs-from-stored-logins]: crate::guide::sealed_cookies#what-differs-from-stored-logins"]
            #[doc = "[security]: crate::guide::security"]
            #[doc = "[security_events]: crate::guide::security_events"]
            #[doc = "[settings]: crate::ClefLayerBuilder"]
            #[doc = "[several_machines]: crate::guide::several_machines"]
            #[doc = "[several_machines#a-table-of-your-own]: crate::guide::several_machines#a-table-of-your-own"]
            #[doc = "[several_machines#failover]: crate::guide::several_machines#failover"]
            #[doc = "[several_machines#rights-in-postgresql]: crate::guide::several_machines#rights-in-postgresql"]
            #[doc = "[how_we_know#hours-of-load]: crate::guide::how_we_know#hours-of-load"]
            #[doc = "[how_we_know#real-faults]: crate::guide::how_we_know#real-faults"]
            #[doc = "[testing]: crate::guide::testing"]
            #[doc = "[tokens]: crate::guide::tokens"]
            #[doc = "[user_store]: crate::guide::user_store"]
            #[doc = "[user_store_contract]: crate::guide::user_store_contract"]
            #[doc = "[user_store_contract#keeping-one-login]: crate::guide::user_store_contract#keeping-one-login"]
            #[doc = "[user_store_contract#revocations]: crate::guide::user_store_contract#revocations"]
            #[doc = "[user_store_contract#testing-a-store]: crate::guide::user_store_contract#testing-a-store"]
            #[doc = "[user_store_contract#the-cause-of-a-logout]: crate::guide::user_store_contract#the-cause-of-a-logout"]
            #[doc = "[user_store_contract#sessions-of-providers]: crate::guide::user_store_contract#sessions-of-providers"]
            #[doc = "[user_store_contract#users-of-an-identifier]: crate::guide::user_store_contract#users-of-an-identifier"]
            #[doc = "[user_store_postgres]: crate::guide::user_store_postgres"]
            #[doc = ""]
            #[doc = include_str!(concat!("../docs/", stringify!($name), ".md"))]
            pub mod $name {}
        )*
    };
}

chapters! {
    glossary
    getting_started
    guards
    permissions
    recent_logins
    routes
    pages
    user_store
    user_store_postgres
    user_store_contract
    own_forms
    passkeys_and_links
    testing
    tokens
    linking
    logging_out
    application_sessions
    open_connections
    covered_pages
    several_machines
    sealed_cookies
    oidc
    oidc_providers
    conformance
    logout_endpoints
    security_events
    oauth2
    clef
    layers
    script_front_ends
    coming_from_axum_login
    coming_from_others
    moving_users
    operating
    promise
    security
    how_we_know
    performance
    versions
}
