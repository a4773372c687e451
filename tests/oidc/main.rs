//! OpenID Connect, from the login to the logout: a site with its router, browsers, and a
//! provider on loopback that signs with keys of its own.

mod callbacks;
mod conformance;
mod key_sets;
mod logins;
mod notices;
mod outages;
mod replays;
mod sessions;
mod sign_outs;
mod support;
mod tokens;
