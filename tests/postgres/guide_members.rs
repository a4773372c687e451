use axum_clef::{BoxError, LoginCheck, LoginReference, RevocationKey, Timestamp, User, UserStore};
use sqlx::{FromRow, PgPool, Row};

#[derive(Clone, FromRow)]
struct Member {
    id: i64,
    name: String,
    logged_out_at: Option<i64>,
}

impl User for Member {
    fn id(&self) -> String { self.id.to_string() }
    fn logged_out_at(&self) -> Option<Timestamp> { self.logged_out_at.map(Timestamp::from_micros) }
}

struct Members(PgPool);

impl UserStore for Members {
    type User = Member;

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let member = sqlx::query_as("select id, name, logged_out_at from members where id = $1");
        Ok(member.bind(row_id(id)).fetch_optional(&self.0).await?)
    }

    // Notes the login, so that the next logout is later, and returns the user.
    async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let member = sqlx::query_as(
            "update members set last_login_at = greatest(last_login_at, micros_now()) where id = $1
             returning id, name, logged_out_at",
        );
        Ok(member.bind(row_id(id)).fetch_optional(&self.0).await?)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        Ok(self.end_logins(id, None).await?.is_some())
    }

    // These two are for `OtherLogins`: the login with this stamp stays.
    fn keeps_one_login(&self) -> bool { true }

    async fn log_out_others(&self, id: &str, stamp: Timestamp) -> Result<Option<Timestamp>, BoxError> {
        self.end_logins(id, Some(stamp)).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        let micros: i64 = sqlx::query_scalar("select micros_now()").fetch_one(&self.0).await?;
        Ok(Timestamp::from_micros(micros))
    }

    fn keeps_revocations(&self) -> bool { true }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let revoke = sqlx::query("select revoke_logins($1, $2)").bind(texts(keys)?);
        revoke.bind(keep_until.as_micros()).execute(&self.0).await?;
        Ok(())
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        let revoked_at = sqlx::query_scalar("select revoked_at from revocations where key = $1");
        let micros: Option<i64> = revoked_at.bind(serde_json::to_string(key)?).fetch_optional(&self.0).await?;
        Ok(micros.map(Timestamp::from_micros))
    }

    // What `load`, `revoked_at` and `now` return, in one round trip.
    async fn check_login(&self, login: LoginReference<'_>) -> Result<Option<LoginCheck<Member>>, BoxError> {
        let id = texts(login.id.map(RevocationKey::Login).as_slice())?;
        let keys = texts(&login.revocation_keys().collect::<Vec<_>>())?;
        let check = sqlx::query(
            "select id, name, logged_out_at, micros_now() as now,
                exists (select from revocations where key = any($2)) as revoked,
                (select max(revoked_at) from revocations where key = any($3)) as revoked_at
             from members where id = $1",
        );
        let check = check.bind(row_id(login.user_id)).bind(id).bind(keys);
        let Some(row) = check.fetch_optional(&self.0).await? else { return Ok(None) };
        let check = LoginCheck::new(Member::from_row(&row)?, Timestamp::from_micros(row.try_get("now")?));
        let revoked_at: Option<i64> = row.try_get("revoked_at")?;
        let check = check.with_revoked_at(revoked_at.map(Timestamp::from_micros));
        Ok(Some(check.with_revoked(row.try_get("revoked")?)))
    }
}

impl Members {
    // Ends all logins, or all but the one with the stamp `kept`. Locks the row, then reads the clock.
    async fn end_logins(&self, id: &str, kept: Option<Timestamp>) -> Result<Option<Timestamp>, BoxError> {
        let log_out = sqlx::query_scalar(
            "with locked as materialized (
                select id, last_login_at, logged_out_at from members
                where id = $1 and coalesce(logged_out_at < $2, true) for no key update
             ), stamped as materialized (
                select id, greatest(micros_now(), last_login_at + 1, logged_out_at + 1) as stamp from locked
             )
             update members set logged_out_at = stamp,
                last_login_at = case when $2 is null then last_login_at else stamp + 1 end
             from stamped where members.id = stamped.id
             returning members.logged_out_at",
        );
        let log_out = log_out.bind(row_id(id)).bind(kept.map(Timestamp::as_micros));
        let logged_out_at: Option<i64> = log_out.fetch_optional(&self.0).await?;
        Ok(logged_out_at.map(Timestamp::from_micros))
    }
}

// As `User::id` writes it: `07` is no id. Any other is unknown, which is no error.
fn row_id(id: &str) -> Option<i64> { id.parse().ok().filter(|row: &i64| row.to_string() == id) }

fn texts(keys: &[RevocationKey]) -> Result<Vec<String>, serde_json::Error> {
    keys.iter().map(serde_json::to_string).collect()
}
