//! One call at a time, in each schema in turn.

use std::time::Instant;

use axum_clef::{
    LoginId, LoginReference, ProviderKey, RevocationKey, Timestamp, UserStore as _,
    stores::PostgresUserStore,
};
use rand::{RngExt as _, seq::SliceRandom as _};

use crate::{
    population::{ISSUER, Population},
    times::Times,
};

/// What is called with a random user.
#[derive(Clone, Copy)]
pub enum Call {
    Check,
    LogIn,
    LogOut,
    SignOut,
}

impl Call {
    pub const ALL: [Self; 4] = [Self::Check, Self::LogIn, Self::LogOut, Self::SignOut];

    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::LogIn => "login",
            Self::LogOut => "logout",
            Self::SignOut => "sign_out",
        }
    }

    /// How often in a round.
    fn number(self) -> usize {
        match self {
            Self::Check => 50,
            _ => 10,
        }
    }

    /// The seconds that it takes.
    pub async fn time(self, store: &PostgresUserStore, users: u64) -> f64 {
        let id = rand::rng().random_range(1..=users).to_string();
        let login_id = random_login_id();
        let session = login_id.to_string();
        let login = LoginReference::new(&id)
            .with_id(login_id)
            .with_issuer(Some(ISSUER))
            .with_provider_key(Some(ProviderKey::Session {
                issuer: ISSUER,
                id: &session,
            }));
        let start = Instant::now();
        match self {
            Self::Check => assert!(store.check_login(login).await.unwrap().is_some()),
            Self::LogIn => assert!(store.log_in(&id).await.unwrap().is_some()),
            Self::LogOut => assert!(store.log_out(&id).await.unwrap()),
            Self::SignOut => {
                let keep_until = Timestamp::from_micros(i64::MAX);
                let keys = [RevocationKey::Login(login_id)];
                store.revoke(&keys, keep_until).await.unwrap();
            }
        }
        start.elapsed().as_secs_f64()
    }
}

/// The times of [`Call::ALL`] in each schema.
pub async fn measure(populations: &[Population], rounds: usize) -> Vec<[Times; 4]> {
    let mut times = vec![<[Times; 4]>::default(); populations.len()];
    let mut turns: Vec<_> = (0..populations.len()).collect();
    for _ in 0..rounds {
        turns.shuffle(&mut rand::rng());
        for &turn in &turns {
            let Population { users, store, .. } = &populations[turn];
            for (call, times) in Call::ALL.into_iter().zip(&mut times[turn]) {
                for _ in 0..call.number() {
                    times.extend([call.time(store, *users).await]);
                }
            }
        }
    }
    times
}

fn random_login_id() -> LoginId {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = rand::rng();
    let mut text: String = (0..21)
        .map(|_| char::from(letters[random.random_range(0..letters.len())]))
        .collect();
    // The last one has two bits.
    text.push('A');
    text.parse().unwrap()
}
