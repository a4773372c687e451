//! Users kept in memory for a moment (feature `leased`), on as many nodes as you like, and a
//! logout is still seen everywhere before it is answered.
//!
//! [`Leased`] goes around any user store. What it has read counts for one *lease*, a second say,
//! and a logout is answered once every lease from before it is over. A [`LogoutBus`] makes that
//! milliseconds.

mod bus;
mod dropped;
mod kept;
mod lease;
mod listener;
mod listening;
mod message;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod refused;
mod store;

#[cfg(feature = "postgres")]
pub use self::postgres::PostgresLogoutBus;
#[cfg(feature = "redis")]
pub use self::redis::RedisLogoutBus;
pub use self::{
    bus::{LogoutBus, Reach},
    listener::LogoutListener,
    store::Leased,
};
