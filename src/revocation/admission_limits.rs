//! The limits of admission, which an application sets by `layer/limits.rs`.

use std::time::Duration;

/// How many calls to the providers may run and wait at once. Calls beyond that are refused with
/// 503 and `Retry-After`.
///
/// Set them for logout notices with [`notice_limits`](crate::ClefLayerBuilder::notice_limits), and for
/// logins at a provider with [`login_limits`](crate::ClefLayerBuilder::login_limits).
///
/// ```
/// use std::time::Duration;
///
/// use axum_clef::AdmissionLimits;
///
/// let limits = AdmissionLimits::default()
///     .concurrency(16)
///     .concurrency_per_client(2)
///     .queue(64)
///     .queue_timeout(Duration::from_millis(500));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    pub(super) concurrency: usize,
    concurrency_per_client: Option<usize>,
    pub(super) queue: usize,
    pub(super) queue_timeout: Duration,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            concurrency: 64,
            concurrency_per_client: None,
            queue: 256,
            queue_timeout: Duration::from_secs(1),
        }
    }
}

impl AdmissionLimits {
    /// Sets how many calls run at once. Defaults to 64. Zero is an error of `build`.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets how many of them one client address may cause. Defaults to a quarter of
    /// [`concurrency`](Self::concurrency), which is 16. Zero is an error of `build`, and so is more
    /// than [`concurrency`](Self::concurrency).
    ///
    /// An IPv6 network of 64 bits counts as one address, and so do all clients whose
    /// [address](crate::ClefLayerBuilder::client_address) is unknown.
    #[must_use]
    pub fn concurrency_per_client(mut self, concurrency: usize) -> Self {
        self.concurrency_per_client = Some(concurrency);
        self
    }

    /// Sets how many calls may wait. Defaults to 256. When as many wait, a client address with
    /// fewer calls replaces the latest one of the address with the most.
    #[must_use]
    pub fn queue(mut self, queue: usize) -> Self {
        self.queue = queue;
        self
    }

    /// Sets how long a call may wait. Defaults to one second.
    #[must_use]
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = timeout;
        self
    }

    /// Whether a limit lets nothing through.
    pub(crate) fn has_zero(&self) -> bool {
        self.concurrency == 0 || self.concurrency_per_client == Some(0)
    }

    /// Whether one client may have more than all together.
    pub(crate) fn exceeds_itself(&self) -> bool {
        self.concurrency_per_client > Some(self.concurrency)
    }

    pub(super) fn per_client(&self) -> usize {
        let quarter = self.concurrency.div_ceil(4);
        self.concurrency_per_client.unwrap_or(quarter)
    }

    /// The same limits, all of which one client may use.
    pub(super) fn unshared(self) -> Self {
        self.concurrency_per_client(self.concurrency)
    }

    /// For requests that wait without a call of their own, as many as may be queued.
    pub(super) fn for_duplicates(self) -> Self {
        Self {
            concurrency: self.queue,
            concurrency_per_client: None,
            queue: 0,
            ..self
        }
    }
}
