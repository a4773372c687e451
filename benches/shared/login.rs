//! The application with axum-login, over any store that axum-clef has its users in.

use std::convert::Infallible;

use axum::{Router, http::StatusCode, routing::get};
use axum_clef::{IdentityStore, Profile, User as _, stores::Account};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use tower_sessions::{SessionManagerLayer, SessionStore};

use super::{alex, answer_to, public};

/// The application. Who opens `/login` is logged in.
pub fn app<U, S>(users: U, sessions: SessionManagerLayer<S>) -> Router
where
    U: IdentityStore<User = Account> + Clone,
    S: SessionStore + Clone,
{
    async fn login<U>(mut auth: AuthSession<Backend<U>>)
    where
        U: IdentityStore<User = Account> + Clone,
    {
        let account = auth.authenticate(alex()).await.unwrap().unwrap();
        auth.login(&account).await.unwrap();
    }
    async fn user<U>(auth: AuthSession<Backend<U>>) -> Result<String, StatusCode>
    where
        U: IdentityStore<User = Account> + Clone,
    {
        let member = auth.user.ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(answer_to(&member.0))
    }
    Router::new()
        .route("/public", get(public))
        .route("/user", get(user::<U>))
        .route("/login", get(login::<U>))
        .layer(AuthManagerLayerBuilder::new(Backend(users), sessions).build())
        .with_state(())
}

/// The same users, for axum-login.
#[derive(Clone)]
struct Backend<U>(U);

#[derive(Clone, Debug)]
struct Member(Account);

impl AuthUser for Member {
    type Id = String;

    fn id(&self) -> String {
        self.0.id()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"a fingerprint of 32 bytes, as is"
    }
}

impl<U: IdentityStore<User = Account> + Clone> AuthnBackend for Backend<U> {
    type User = Member;
    type Credentials = Profile;
    type Error = Infallible;

    async fn authenticate(&self, profile: Profile) -> Result<Option<Member>, Infallible> {
        let account = self.0.find_or_create(&profile).await.unwrap().unwrap();
        Ok(self.0.log_in(&account.id()).await.unwrap().map(Member))
    }

    async fn get_user(&self, id: &String) -> Result<Option<Member>, Infallible> {
        Ok(self.0.load(id).await.unwrap().map(Member))
    }
}
