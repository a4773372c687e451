-- Who or what caused the latest logout of a user.
--
-- `PostgresUserStore::migrate` applies it after the earlier files. To apply it by hand, after
-- 0004_sessions.sql and before the nodes of this version start:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0005_logout_causes.sql "$DATABASE_URL"
--
-- Nodes of an earlier version go on working: they write no cause, and one of an earlier logout does not
-- count.

alter table clef_users
    -- A word of axum_clef::LogoutCause. Null if the cause is unknown.
    add column logout_cause    text collate "C",
    -- The logged_out_at that it belongs to.
    add column logout_cause_at bigint;

insert into clef_migrations (version) values (5);
