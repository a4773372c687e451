-- The tables of axum_clef::stores::PostgresUserStore.
--
-- `PostgresUserStore::migrate` applies it. To apply it by hand, in the schema of the site and in one
-- transaction:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0001_users.sql "$DATABASE_URL"
--
-- The file records its version in clef_migrations, so both ways can be combined. A role of the site that
-- does not own the tables needs only these rights:
--
--     grant select on clef_migrations to site;
--     grant select, insert, update on clef_users to site;
--     grant select, insert, update, delete on clef_revocations to site;
--
-- All times are microseconds since the Unix epoch. To read one:
--
--     select subject, to_timestamp(logged_out_at / 1e6) from clef_users;

-- The files that have been applied to this database.
create table if not exists clef_migrations (
    version    integer     primary key,
    applied_at timestamptz not null default now()
);

-- The clock of all nodes. Not now(), which is the start of the transaction: a logout that waits for a
-- lock must be stamped after the wait.
create function clef_now() returns bigint
    language sql volatile parallel safe
    as 'select (extract(epoch from clock_timestamp()) * 1000000)::bigint';

-- One microsecond after a time, saturating at the latest one. Null for null.
create function clef_after(moment bigint) returns bigint
    language sql immutable strict parallel safe
    as 'select least(moment, 9223372036854775806) + 1';

-- Users. logged_out_at must only rise. To log a user out by hand, set it to clef_now() or later.
--
-- With collate "C", subjects that differ in a byte are different users, and an upgrade of the system's
-- collations cannot corrupt the index.
create table clef_users (
    -- Never reused, since logins may carry the id of a deleted user.
    id            bigint generated always as identity primary key,
    -- The URL of the provider, and its id of the user.
    issuer        text   collate "C" not null,
    subject       text   collate "C" not null,
    -- As last reported by the provider; null if it did not.
    first_name    text,
    last_name     text,
    email         text,
    phone_number  text,
    -- A logout is written above this, even if the clock was set back. Null without a login.
    last_login_at bigint,
    -- Logins from this time or before have ended. Null if the user was never logged out.
    logged_out_at bigint,
    unique (issuer, subject)
);

-- For the latest login of all users, above which a revocation is written.
create index clef_users_last_login_at on clef_users (last_login_at);

-- Logouts of one login, of one session at a provider, of the logins of a subject without a session, of a
-- subject that is not a user yet, of all logins of a provider, or of all logins. Each is kept until those logins have ended anyway. Old rows are
-- deleted when others are written.
create table clef_revocations (
    kind       text   collate "C" not null,
    -- The URL of the provider; empty for a login.
    issuer     text   collate "C" not null,
    id         text   collate "C" not null,
    revoked_at bigint not null,
    keep_until bigint not null,
    primary key (kind, issuer, id)
);

create index clef_revocations_keep_until on clef_revocations (keep_until);

insert into clef_migrations (version) values (1);
