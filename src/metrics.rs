//! What is counted, for the facade of the crate `metrics` (feature `metrics`). Without the feature,
//! nothing is.
//!
//! No label has text of a client: only kinds of this crate, and the names of endpoints.

use std::fmt;

/// A counter.
pub(crate) struct Counter {
    name: &'static str,
    help: &'static str,
}

/// What this crate counts.
const COUNTERS: [&Counter; 9] = [
    &LOGINS,
    &LOGIN_FAILURES,
    &REFUSED_LOGINS,
    &REFUSED_TOKENS,
    &TOKENS,
    &LOGOUTS,
    &SIGN_OUTS,
    &NOTICES,
    &STORE_FAILURES,
];

pub(crate) const LOGINS: Counter = Counter {
    name: "axum_clef_logins_total",
    help: "Logins whose credentials were proven, by result",
};
pub(crate) const LOGIN_FAILURES: Counter = Counter {
    name: "axum_clef_login_failures_total",
    help: "Failed requests of the routes, by kind of LoginFailure",
};
pub(crate) const REFUSED_LOGINS: Counter = Counter {
    name: "axum_clef_refused_logins_total",
    help: "Requests with a login that has ended, by reason",
};
pub(crate) const REFUSED_TOKENS: Counter = Counter {
    name: "axum_clef_refused_tokens_total",
    help: "Requests with a bearer token that is no login, by kind of rejection",
};
pub(crate) const TOKENS: Counter = Counter {
    name: "axum_clef_tokens_total",
    help: "Bearer tokens that were asked for, by result",
};
pub(crate) const LOGOUTS: Counter = Counter {
    name: "axum_clef_logouts_total",
    help: "Logouts, by result and cause",
};
pub(crate) const SIGN_OUTS: Counter = Counter {
    name: "axum_clef_sign_outs_total",
    help: "Logins and tokens that were signed out",
};
pub(crate) const NOTICES: Counter = Counter {
    name: "axum_clef_notices_total",
    help: "Logout notices, by endpoint and outcome",
};
pub(crate) const STORE_FAILURES: Counter = Counter {
    name: "axum_clef_store_failures_total",
    help: "Requests for which a store did not answer, by question",
};
/// The gauge of logouts that this node has accepted and not yet written.
#[cfg(feature = "metrics")]
const PENDING_LOGOUTS: &str = "axum_clef_pending_logouts";

/// The name and the value of a label.
type Label<'a> = (&'static str, fmt::Arguments<'a>);

impl Counter {
    /// Counts one event.
    #[cfg(feature = "metrics")]
    pub(crate) fn count<const N: usize>(&self, labels: [Label<'_>; N]) {
        let label = |(name, value): Label<'_>| ::metrics::Label::new(name, value.to_string());
        ::metrics::counter!(self.name, Vec::from(labels.map(label))).increment(1);
    }

    /// Counts nothing.
    #[cfg(not(feature = "metrics"))]
    pub(crate) fn count<const N: usize>(&self, _: [Label<'_>; N]) {}
}

/// Describes everything to the recorder of the program.
pub(crate) fn describe() {
    #[cfg(feature = "metrics")]
    {
        for counter in COUNTERS {
            ::metrics::describe_counter!(counter.name, counter.help);
        }
        let help = "Logouts that were accepted and are not written yet, by the key that they end";
        ::metrics::describe_gauge!(PENDING_LOGOUTS, help);
    }
}

/// One more logout waits for the user store, or one less.
pub(crate) fn pending_logouts(change: i8) {
    #[cfg(feature = "metrics")]
    ::metrics::gauge!(PENDING_LOGOUTS).increment(f64::from(change));
    #[cfg(not(feature = "metrics"))]
    let _ = change;
}
