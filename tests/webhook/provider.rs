use std::{
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum_clef::provider::ProviderError;
use test_support::{Asked, Gauge, ScriptedProvider, hook::Flag};

/// The calls of a provider. `hang` is never answered, `panic` panics, what is neither that nor a
/// code or token is forged; each takes the same time. So does a redirect, if those make calls.
#[derive(Clone)]
pub struct Calls {
    takes: Arc<Mutex<Duration>>,
    pub gauge: Gauge,
    /// Whether the URLs of logins and sign-outs take a call.
    pub redirects_call: Flag,
}

impl Calls {
    pub fn new(takes: Duration) -> Self {
        Self {
            takes: Arc::new(Mutex::new(takes)),
            gauge: Gauge::default(),
            redirects_call: Flag::default(),
        }
    }

    /// From now on.
    pub fn takes(&self, takes: Duration) {
        *self.takes.lock().unwrap() = takes;
    }

    /// The provider whose calls these are.
    pub fn provider(&self) -> ScriptedProvider {
        let calls = self.clone();
        let provider = ScriptedProvider::default().with_step(move |asked, secret| {
            let calls = calls.clone();
            async move { calls.call(asked, &secret).await }
        });
        provider.signs_out.store(true, SeqCst);
        provider
    }

    async fn call(&self, asked: Asked, secret: &str) -> Result<(), ProviderError> {
        let redirects = matches!(asked, Asked::LoginUrl | Asked::SignOutUrl);
        if redirects && !self.redirects_call.load(SeqCst) {
            return Ok(());
        }
        let _call = self.gauge.enter();
        if secret == "hang" {
            std::future::pending::<()>().await;
        }
        let takes = *self.takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        assert_ne!(secret, "panic", "the provider panics");
        Ok(())
    }
}
