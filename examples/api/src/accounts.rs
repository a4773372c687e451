//! The names and passwords of users. The users themselves are in the ready store.

use axum_clef::{
    BoxError, IdentityStore as _, Profile, Subject, User as _, secrecy::SecretString,
    stores::SqliteUserStore,
};

use crate::{Passwords, Problem};

/// The issuer of the names. It stays the same if the site moves.
const NAMES: &str = "names:";

/// What a name may be.
pub(crate) const NAME_RULE: &str = "A name has 1 to 30 letters and digits.";

/// The table of names and hashes.
#[derive(Clone)]
pub(crate) struct Accounts {
    users: SqliteUserStore,
}

impl Accounts {
    pub(crate) async fn create(users: SqliteUserStore) -> Result<Self, BoxError> {
        sqlx::query(
            "create table if not exists accounts (
                name text primary key,
                user_id text not null,
                hash text not null
            ) strict",
        )
        .execute(users.pool())
        .await?;
        Ok(Self { users })
    }

    /// Adds a user, and returns their id. `None` if the name is taken.
    pub(crate) async fn sign_up(&self, name: &str, hash: &str) -> Result<Option<String>, Problem> {
        let mut profile = Profile::new(Subject::new(NAMES, name));
        profile.first_name = Some(name.to_owned());
        let user = self.users.find_or_create(&profile).await;
        let Some(user) = user.map_err(Problem::Failed)? else {
            return Ok(None);
        };
        let added = sqlx::query(
            "insert into accounts (name, user_id, hash) values (?, ?, ?) on conflict do nothing",
        )
        .bind(name)
        .bind(user.id())
        .bind(hash)
        .execute(self.users.pool())
        .await?;
        Ok((added.rows_affected() == 1).then(|| user.id()))
    }

    /// The id of the user with this name and password. The answer takes as long for a name that no
    /// user has.
    pub(crate) async fn verify(
        &self,
        passwords: &Passwords,
        name: &str,
        password: &SecretString,
    ) -> Result<Option<String>, Problem> {
        // For no name, it finds nothing.
        let found: Option<(String, String)> =
            sqlx::query_as("select user_id, hash from accounts where name = ?")
                .bind(account_name(name))
                .fetch_optional(self.users.pool())
                .await?;
        let hash = found.as_ref().map(|(_, hash)| hash.as_str());
        let is_right = passwords.verify(password, hash).await?;
        Ok(found.filter(|_| is_right).map(|(id, _)| id))
    }
}

/// A name as it is stored; `None` if it is none.
pub(crate) fn account_name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && (1..=30).contains(&name.len())).then_some(name)
}
