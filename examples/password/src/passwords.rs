//! Hashing passwords: Argon2id, off the async threads, a bounded number at once.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::available_parallelism,
};

use argon2::{
    Argon2,
    password_hash::{self, PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use axum_clef::{
    BoxError,
    secrecy::{ExposeSecret as _, SecretString},
};
use tokio::sync::{Semaphore, TryAcquireError};

/// The shortest password, in characters: what NIST SP 800-63B-4 asks of a password that is the only
/// factor.
pub const SHORTEST: usize = 15;

/// The longest password, in characters.
pub const LONGEST: usize = 256;

/// How many requests wait for a thread. More are answered 503.
const MOST_WAITING: usize = 64;

/// Computes and verifies the hashes of passwords.
///
/// With the parameters that OWASP recommends, which are the defaults of `argon2`: 19 MiB, two
/// passes, one lane. A hash takes a core for some 30 milliseconds.
pub struct Passwords {
    /// A hash takes a whole core and 19 MiB, so there are as many at once as there are cores.
    threads: Arc<Semaphore>,
    /// Without this bound, a crowd of attempts would delay every login after it.
    places: Semaphore,
    /// The hash that the password of an unknown user is compared with.
    dummy: Arc<str>,
    computed: AtomicU64,
}

/// Why there is no hash.
#[derive(Debug)]
pub enum HashError {
    /// Too many others wait. The user tries again in a moment.
    Busy,
    /// The hash in the database is no hash, or the system has no random numbers.
    Failed(BoxError),
}

impl Passwords {
    /// As many hashes at once as there are cores.
    ///
    /// # Errors
    ///
    /// [`HashError::Failed`] when the system has no random numbers.
    pub async fn new() -> Result<Self, HashError> {
        let cores = available_parallelism().map_or(1, usize::from);
        Self::with_limits(cores, MOST_WAITING).await
    }

    async fn with_limits(threads: usize, waiting: usize) -> Result<Self, HashError> {
        let mut passwords = Self {
            threads: Arc::new(Semaphore::new(threads)),
            places: Semaphore::new(threads + waiting),
            dummy: Arc::from(""),
            computed: AtomicU64::new(0),
        };
        // Any password: a match with this hash counts for nothing.
        passwords.dummy = passwords.hash(&SecretString::from("")).await?.into();
        Ok(passwords)
    }

    /// The hash of a new password, in the PHC string format, with its salt and parameters.
    ///
    /// # Errors
    ///
    /// As [`HashError`] says. Nothing has changed.
    pub async fn hash(&self, password: &SecretString) -> Result<String, HashError> {
        let password = password.clone();
        self.compute(move || {
            let hash = Argon2::default().hash_password(password.expose_secret().as_bytes())?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether this is the password of the hash. `None` as the hash of an unknown user is `false`,
    /// and takes as long.
    ///
    /// # Errors
    ///
    /// As [`HashError`] says. The password is not verified.
    pub async fn verify(
        &self,
        password: &SecretString,
        hash: Option<&str>,
    ) -> Result<bool, HashError> {
        let is_known = hash.is_some();
        let hash = hash.map_or_else(|| Arc::clone(&self.dummy), Arc::from);
        let password = password.clone();
        let verified = self.compute(move || {
            let hash = PasswordHash::new(&hash)?;
            match Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash) {
                Ok(()) => Ok(true),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        Ok(verified.await? && is_known)
    }

    /// How many hashes were computed since the start, for metrics.
    pub fn computed(&self) -> u64 {
        self.computed.load(Relaxed)
    }

    /// Computes on a thread that may block.
    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, HashError> {
        let _place = self.places.try_acquire().map_err(|error| match error {
            TryAcquireError::NoPermits => HashError::Busy,
            TryAcquireError::Closed => HashError::Failed(error.into()),
        })?;
        let permit = Arc::clone(&self.threads).acquire_owned().await;
        let permit = permit.map_err(|error| HashError::Failed(error.into()))?;
        self.computed.fetch_add(1, Relaxed);
        let computed = tokio::task::spawn_blocking(move || {
            // In here, since the hash goes on if the client hangs up.
            let _permit = permit;
            work()
        });
        let computed = computed.await.map_err(|error| Err(error.into()));
        let computed = computed.unwrap_or_else(|error| error);
        computed.map_err(HashError::Failed)
    }
}

/// Whether a new password is long enough, and otherwise what to say.
///
/// A site of your own also refuses passwords that are known from leaks.
///
/// # Errors
///
/// A sentence for the user.
pub fn check_length(password: &SecretString) -> Result<(), String> {
    match password.expose_secret().chars().count() {
        ..SHORTEST => Err(format!(
            "Use {SHORTEST} characters or more, such as a sentence."
        )),
        SHORTEST..=LONGEST => Ok(()),
        _ => Err(format!("Use {LONGEST} characters or fewer.")),
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Passwords")
            .field("computed", &self.computed)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for HashError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => formatter.write_str("too many passwords wait to be hashed"),
            Self::Failed(_) => formatter.write_str("a password could not be hashed"),
        }
    }
}

impl std::error::Error for HashError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Busy => None,
            Self::Failed(error) => Some(&**error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_of_one_password_alone() {
        let passwords = Passwords::with_limits(1, 0).await.unwrap();
        let right = SecretString::from("correct horse battery");
        let hash = passwords.hash(&right).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(passwords.verify(&right, Some(&hash)).await.unwrap());
        let wrong = SecretString::from("correct horse batterz");
        assert!(!passwords.verify(&wrong, Some(&hash)).await.unwrap());
        let empty = SecretString::from("");
        assert!(
            !passwords.verify(&empty, None).await.unwrap(),
            "the dummy's own"
        );
        let broken = passwords.verify(&right, Some("no hash")).await;
        assert!(matches!(broken, Err(HashError::Failed(_))));
    }

    #[tokio::test]
    async fn one_is_computed_one_waits_and_the_third_is_turned_away() {
        let passwords = Passwords::with_limits(1, 1).await.unwrap();
        let password = SecretString::from("any");
        let computed = passwords.computed();
        let [first, second, third] = [(); 3].map(|()| passwords.hash(&password));
        let (first, second, third) = tokio::join!(first, second, third);
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(HashError::Busy)));
        assert_eq!(passwords.computed(), computed + 2);
        assert!(
            passwords.hash(&password).await.is_ok(),
            "there is room again"
        );
    }
}
