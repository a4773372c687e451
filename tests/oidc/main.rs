//! OpenID Connect, from the login to the logout: a site with its router, browsers, and a
//! provider on loopback that signs with keys of its own.

mod algorithms;
mod apple;
mod callbacks;
mod causes;
mod compatibility;
mod conformance_logins;
mod conformance_logouts;
mod front_channel;
mod key_sets;
mod logins;
mod notices;
mod outages;
mod provider_tokens;
mod recent_logins;
mod replays;
mod sessions;
mod sign_outs;
mod stores;
mod support;
mod token_revocation;
mod tokens;
mod tolerance;
mod user_info;
