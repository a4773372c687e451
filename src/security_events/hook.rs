//! The hook of the application.

use std::{fmt, pin::Pin, sync::Arc};

use super::{SecurityEvent, SecurityEventError};
use crate::BoxError;

type HookFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A function of the application that receives each event.
#[derive(Clone)]
pub(super) struct EventHook(Arc<dyn Fn(SecurityEvent) -> HookFuture + Send + Sync>);

impl EventHook {
    pub(super) fn new<F, R>(hook: F) -> Self
    where
        F: Fn(SecurityEvent) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self(Arc::new(move |event| Box::pin(hook(event))))
    }

    /// Calls the hook with each event.
    ///
    /// # Errors
    ///
    /// [`SecurityEventError::Hook`] of the first that fails.
    pub(super) async fn call(
        hook: Option<&Self>,
        events: Vec<SecurityEvent>,
    ) -> Result<(), SecurityEventError> {
        let Some(Self(hook)) = hook else {
            return Ok(());
        };
        for event in events {
            hook(event).await.map_err(SecurityEventError::hook)?;
        }
        Ok(())
    }
}

impl fmt::Debug for EventHook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EventHook(…)")
    }
}
