-- The tables of axum_clef::stores::PostgresUserStore.
--
-- `PostgresUserStore::migrate` applies this file. By hand it is, in the schema that the site
-- reads, and in one transaction:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0001_users.sql "$DATABASE_URL"
--
-- The file notes itself in clef_migrations, so the two ways know of each other. A site whose role
-- owns none of this needs these rights and no more:
--
--     grant select on clef_migrations to site;
--     grant select, insert, update on clef_users to site;
--     grant select, insert, update, delete on clef_provider_sessions to site;
--
-- All moments are microseconds since the Unix epoch. To read one:
--
--     select subject, to_timestamp(logged_out_at / 1e6) from clef_users;

-- Which of these files stand in the database.
create table if not exists clef_migrations (
    version    integer     primary key,
    applied_at timestamptz not null default now()
);

-- The one clock of all nodes: this server's. Not now(), which is the start of the transaction: a
-- logout that waits for its turn must be stamped when the turn comes.
create function clef_now() returns bigint
    language sql volatile parallel safe
    as 'select (extract(epoch from clock_timestamp()) * 1000000)::bigint';

-- People. The promise rests on issuer and subject, unique together, and on logged_out_at, which
-- only ever rises: to log somebody out by hand, set it to clef_now() or later.
--
-- collate "C": whoever differs in a byte is somebody else, and an upgrade of the system's
-- collations cannot spoil the index.
create table clef_users (
    -- Never given twice, not even after its user was deleted: sessions have it still.
    id            bigint generated always as identity primary key,
    -- Who vouches for the person, and what they call them.
    issuer        text   collate "C" not null,
    subject       text   collate "C" not null,
    -- What they told last; null where they did not.
    first_name    text,
    last_name     text,
    email         text,
    phone_number  text,
    -- A logout is written later than this, even by a clock that was set back.
    last_login_at bigint not null,
    -- Logins from before this, or from this very moment, are over. Null: never logged out.
    logged_out_at bigint,
    unique (issuer, subject)
);

-- For the latest login of all, above which the logout of a session is written.
create index clef_users_last_login_at on clef_users (last_login_at);

-- Sessions at providers that were logged out, each for 31 days: no login lasts longer that
-- belongs to one. Older rows are deleted when others are written.
create table clef_provider_sessions (
    issuer        text   collate "C" not null,
    session       text   collate "C" not null,
    logged_out_at bigint not null,
    primary key (issuer, session)
);

create index clef_provider_sessions_logged_out_at on clef_provider_sessions (logged_out_at);

insert into clef_migrations (version) values (1);
