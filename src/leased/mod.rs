//! A cache of users for several nodes (feature `leased`): a logout takes effect on every node
//! before it is answered.
//!
//! [`Leased`] wraps any user store. A cached read is valid for one *lease*, such as a second. A
//! logout is answered once every earlier lease is over. A [`LogoutBus`] shortens that to
//! milliseconds.

mod bus;
mod entries;
mod generations;
mod listener;
mod logouts;
mod message;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod store;
mod user_store;

#[cfg(feature = "postgres")]
pub use self::postgres::PostgresLogoutBus;
#[cfg(feature = "redis")]
pub use self::redis::RedisLogoutBus;
pub use self::{
    bus::{LogoutBus, Reach},
    listener::LogoutListener,
    store::Leased,
};
pub use crate::users::{LogoutKey, LogoutNews};
