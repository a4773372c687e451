//! Why a check has no result, and the log of that.

use std::sync::{Arc, LazyLock};

use super::RejectionKind;
use crate::{BoxError, log_limit::LogLimit, metrics};

/// Limits the log of mistakes, also of requests outside of every layer.
static MISTAKES: LazyLock<LogLimit<RejectionKind>> = LazyLock::new(LogLimit::default);

/// A question to a store. While the store is down any client can cause it, so the log has one line
/// a second for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unanswered {
    Check,
    Login,
    Permission,
    Renewal,
    SignOut,
    LogOutOthers,
}

/// Why a check has no result, kept for all extractors of one request.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the user of the request is unknown")]
pub(crate) struct CheckError {
    pub(super) kind: RejectionKind,
    pub(super) source: Option<Arc<BoxError>>,
}

impl CheckError {
    /// A bearer token that is no login. Any client can send one.
    pub(super) fn token(kind: RejectionKind) -> Self {
        tracing::debug!(?kind, "a bearer token is refused");
        metrics::REFUSED_TOKENS.count([("kind", format_args!("{kind:?}"))]);
        Self { kind, source: None }
    }

    /// Whether the request has a bearer token that is no login.
    pub(crate) fn is_bad_token(&self) -> bool {
        self.kind.is_bad_token()
    }

    /// A mistake in the program. Any client can send requests that meet it, so the log has one line
    /// a second for each kind.
    pub(crate) fn mistake(kind: RejectionKind, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        if let Some(count) = MISTAKES.count(kind) {
            tracing::error!(
                error = ?source.to_string(),
                count,
                "a request cannot be checked and gets 500"
            );
        }
        Self {
            kind,
            source: Some(Arc::new(source)),
        }
    }

    /// A store that does not answer. Any client can send requests meanwhile, so the log has one
    /// line a second.
    pub(crate) fn no_answer(
        log_limit: &LogLimit<Unanswered>,
        question: Unanswered,
        error: BoxError,
    ) -> Self {
        metrics::STORE_FAILURES.count([("question", format_args!("{question:?}"))]);
        if let Some(count) = log_limit.count(question) {
            let error = error.to_string();
            tracing::error!(
                ?error,
                ?question,
                count,
                "a store did not answer; the request gets 503"
            );
        }
        Self {
            kind: RejectionKind::StoreUnavailable,
            source: Some(Arc::new(error)),
        }
    }
}
