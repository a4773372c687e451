-- The sessions at providers that axum_clef::stores::PostgresUserStore notes.
--
-- `PostgresUserStore::migrate` applies it after the earlier files. To apply it by hand, after
-- 0003_bus_secret.sql:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0004_sessions.sql "$DATABASE_URL"
--
-- A role of the site that does not own the table needs these rights, for providers with
-- `Oidc::log_out_whole_person`:
--
--     grant select, insert, update, delete on clef_sessions to site;

-- The user of a session, for logout notices that name only the session. Old rows are deleted when others
-- are written.
create table clef_sessions (
    -- The URL of the provider, and its id of the session.
    issuer     text   collate "C" not null,
    id         text   collate "C" not null,
    user_id    text   not null,
    keep_until bigint not null,
    primary key (issuer, id)
);

create index clef_sessions_keep_until on clef_sessions (keep_until);

insert into clef_migrations (version) values (4);
