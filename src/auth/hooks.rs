//! What an application does when a login begins or is signed out.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::request::Parts;

use crate::{BoxError, Login};

type HookFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A function of the application's, called with the head of the request and the login.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn Fn(Parts, Login) -> HookFuture + Send + Sync>);

impl Hook {
    pub(crate) fn new<F, R>(hook: F) -> Self
    where
        F: Fn(Parts, Login) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self(Arc::new(move |parts, login| Box::pin(hook(parts, login))))
    }

    pub(super) async fn call(&self, parts: &Parts, login: Login) -> Result<(), BoxError> {
        (self.0)(parts.clone(), login).await
    }
}

/// The hooks of a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) on_login: Option<Hook>,
    pub(crate) on_sign_out: Option<Hook>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hook(…)")
    }
}
