//! The stores and the provider of a scene: each call waits for the explorer, and is a step of the
//! trace once it has its effect.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
};

use axum_clef::RevocationKey;
use test_support::{
    About, Asked, Call, Hook, ScriptedProvider,
    hook::{Count, Done, StoreError, Work},
    refused,
};

use crate::{gates::Gates, trace::Trace};

/// What is read is read before the wait, so the reader may hold what has changed since.
#[derive(Clone, Default)]
pub struct GatedStores {
    pub gates: Gates,
    pub trace: Trace,
    /// How many logouts were written.
    pub logouts: Count,
    /// How many logouts fail before one is written.
    pub failures: Count,
    /// How many logouts are written without an answer, after the failures.
    pub lost_answers: Count,
    /// Tokens that are good for one exchange, and were exchanged at one of the nodes.
    spent: Arc<Mutex<HashSet<String>>>,
}

impl Hook for GatedStores {
    async fn around<T: Send>(&self, call: Call, about: About<'_>, work: impl Work<T>) -> Done<T> {
        match (call, about) {
            (Call::Revoke, About::Keys([RevocationKey::Login(_)], _)) => {
                self.logout("revoke", "the end of a login", work).await
            }
            (Call::Revoke, About::Keys([RevocationKey::UnknownSubject(_)], _)) => {
                let logout = "the note of an unknown subject";
                self.logout("revoke", logout, work).await
            }
            (Call::LogOutOthers, _) => {
                let logout = "the logout of all others";
                self.logout("log_out_others", logout, work).await
            }
            (Call::Revoke | Call::LogOut | Call::LogOutSubject, _) => {
                self.logout("log_out", "the logout", work).await
            }
            (call, about) => self.other(call, about, work).await,
        }
    }
}

impl GatedStores {
    /// Stores whose calls wait at these gates, and are steps of this trace.
    pub fn of(gates: Gates, trace: Trace) -> Self {
        Self {
            gates,
            trace,
            ..Self::default()
        }
    }

    /// Waits before the effect of a logout, or its failure; and after it, while its answer is still to
    /// come.
    async fn logout<T>(&self, step: &str, logout: &str, work: impl Work<T>) -> Done<T> {
        self.gates
            .pass(&format!("{logout} reaches the store"))
            .await;
        let takes_one = |count: &Count| {
            let one_less = |left: usize| left.checked_sub(1);
            count.fetch_update(SeqCst, SeqCst, one_less).is_ok()
        };
        if takes_one(&self.failures) {
            self.trace.step("fails");
            return Err(StoreError::down("the store fails"));
        }
        let answer = work.await?;
        self.logouts.fetch_add(1, SeqCst);
        if takes_one(&self.lost_answers) {
            self.trace.step("lost");
            return Err(StoreError::down("the answer is lost"));
        }
        self.trace.step(step);
        self.gates
            .pass(&format!("the store answers {logout}"))
            .await;
        Ok(answer)
    }

    async fn other<T>(&self, call: Call, about: About<'_>, work: impl Work<T>) -> Done<T> {
        let (step, before, after) = match call {
            Call::Link => ("link", Some("the identity is linked"), None),
            Call::Create => ("create", Some("the record is created"), None),
            Call::Save => ("save", Some("the record is saved"), None),
            Call::Delete => ("delete", Some("the record is deleted"), None),
            Call::LoadSession => ("load", None, Some("the record is read")),
            Call::LoadUser => ("load_user", None, Some("the store answers the load")),
            Call::LogIn => ("log_in", None, Some("the store answers the login")),
            Call::CheckLogin => ("check_login", None, Some("the store answers the check")),
            Call::RevokedAt => ("revoked_at", None, Some("a revocation is looked up")),
            Call::FindOrCreate => ("find_or_create", None, Some("the store finds the user")),
            Call::UsersOf => ("users_of", None, Some("the store names the users")),
            Call::Now => ("now", None, None),
            Call::Revoke | Call::LogOut | Call::LogOutSubject | Call::LogOutOthers => {
                unreachable!("it is a logout")
            }
        };
        if let Some(place) = before {
            self.gates.pass(place).await;
        }
        let answer = work.await?;
        match about {
            About::Record(id) => self.trace.record_step(step, id),
            _ => self.trace.step(step),
        }
        if let Some(place) = after {
            self.gates.pass(place).await;
        }
        Ok(answer)
    }
}

/// A provider that waits for the explorer before it answers. A logout token that ends with `:once` is
/// good for one exchange.
pub fn gated_provider(gated: &GatedStores) -> ScriptedProvider {
    let gated = gated.clone();
    let provider = ScriptedProvider::default().with_step(move |asked, secret| {
        let GatedStores {
            gates,
            trace,
            spent,
            ..
        } = gated.clone();
        async move {
            match asked {
                Asked::Exchange => {
                    gates.pass("the code is exchanged").await;
                    trace.step("exchange");
                }
                Asked::Notice => {
                    gates.pass("the notice is checked").await;
                    if secret.ends_with(":once") && !spent.lock().unwrap().insert(secret) {
                        trace.step("refused");
                        return Err(refused("it was exchanged before"));
                    }
                    trace.step("begin");
                }
                Asked::LoginUrl | Asked::SignOutUrl => {}
            }
            Ok(())
        }
    });
    provider.names_sessions.store(true, SeqCst);
    provider
}
