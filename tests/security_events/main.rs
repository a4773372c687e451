//! Security events, from the token to the end of a login: a site with its router, browsers, an
//! OpenID provider, and a sender of events on loopback that signs with keys of its own.

mod apple;
mod conformance;
mod critical_members;
mod crossed;
mod discovery;
mod floods;
mod google;
mod hooks;
mod management;
#[allow(dead_code, unused_imports)]
#[path = "../oidc/support/mod.rs"]
mod openid;
mod pacing;
mod polling;
mod polls;
mod receiving;
mod refusals;
mod streams;
mod subjects;
mod support;
