use axum_clef::{
    BoxError, IdentityStore, Profile, Subject, UserStore,
    stores::{Account, MemoryUserStore},
};

/// A store that finds users by their subject alone.
#[derive(Default)]
pub struct SubjectsAlone(MemoryUserStore);

impl UserStore for SubjectsAlone {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.0.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.0.log_out(id).await
    }
}

impl IdentityStore for SubjectsAlone {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.0.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.0.log_out_subject(subject).await
    }
}
