//! A schema with so many users.

use axum_clef::stores::PostgresUserStore;
use sqlx::{PgConnection, Row as _};

use crate::database::Database;

pub const ISSUER: &str = "https://clef.example";

/// As after a month: each has logged in, a third was logged out, and a tenth has signed a login out.
const USERS: &str = "
    insert into clef_users (
        issuer, subject, first_name, email, verified_email, last_login_at, logged_out_at
    )
    select 'https://clef.example', lpad(n::text, 12, '0'), 'Alex', address, address, moment,
        case when n % 3 = 0 then moment + 1 end
    from generate_series(1, USERS) as n,
        lateral (
            select n || '@clef.example' as address,
                NOW - (random() * 2592000000000)::bigint as moment
        ) as its
";
const REVOCATIONS: &str = "
    insert into clef_revocations (kind, issuer, id, revoked_at, keep_until)
    select 'login', '', left(encode(decode(md5(random()::text || n), 'hex'), 'base64'), 22), NOW, KEEP_UNTIL + n
    from generate_series(1, ROWS) as n
";

pub struct Population {
    /// Their ids begin with 1.
    pub users: u64,
    pub schema: String,
    pub store: PostgresUserStore,
}

impl Population {
    pub async fn create(database: &Database, users: u64) -> Self {
        let schema = format!("users_{users}");
        let store = database.users(&schema, 8).await;
        let mut connection = database.connect(&schema).await;
        let now = "(select clef_now())";
        let statement = USERS.replace("USERS", &users.to_string());
        let statement = statement.replace("NOW", now);
        fill(&mut connection, "clef_users", &statement).await;
        let population = Self {
            users,
            schema,
            store,
        };
        let month = format!("{now} + 2592000000000");
        population.revoke(database, users / 10, &month).await;
        population
    }

    /// Adds revocations that are kept until this expression of SQL.
    pub async fn revoke(&self, database: &Database, rows: u64, keep_until: &str) {
        let mut connection = database.connect(&self.schema).await;
        let statement = REVOCATIONS.replace("ROWS", &rows.to_string());
        let statement = statement.replace("KEEP_UNTIL", keep_until);
        let statement = statement.replace("NOW", "(select clef_now())");
        fill(&mut connection, "clef_revocations", &statement).await;
    }
}

/// Inserts without the indexes, which are created again afterwards: that takes a fraction of the time.
async fn fill(connection: &mut PgConnection, table: &str, insert: &str) {
    let mut drop = Vec::new();
    let mut create = Vec::new();
    let constraints = "select conname::text, pg_get_constraintdef(oid) from pg_constraint
        where conrelid = $1::text::regclass and contype in ('p', 'u')";
    let constraints = sqlx::query(constraints).bind(table);
    for row in constraints.fetch_all(&mut *connection).await.unwrap() {
        let (name, definition): (String, String) = (row.get(0), row.get(1));
        drop.push(format!("alter table {table} drop constraint {name}"));
        create.push(format!(
            "alter table {table} add constraint {name} {definition}"
        ));
    }
    let indexes = "select indexname::text, indexdef from pg_indexes
        where schemaname = current_schema and tablename = $1
        and indexname not in (select conname from pg_constraint)";
    for row in sqlx::query(indexes)
        .bind(table)
        .fetch_all(&mut *connection)
        .await
        .unwrap()
    {
        let (name, definition): (String, String) = (row.get(0), row.get(1));
        drop.push(format!("drop index {name}"));
        create.push(definition);
    }
    let insert = [insert.to_owned()];
    let vacuum = [format!("vacuum analyze {table}")];
    for statement in drop.iter().chain(&insert).chain(&create).chain(&vacuum) {
        sqlx::raw_sql(statement)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}
