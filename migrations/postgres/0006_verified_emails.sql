-- The e-mail address that a provider has verified for a user, for logout notices that name one.
--
-- `PostgresUserStore::migrate` applies it after the earlier files. To apply it by hand, after
-- 0005_logout_causes.sql and before the nodes of this version start:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0006_verified_emails.sql "$DATABASE_URL"
--
-- Nodes of an earlier version go on working: they verify no address, and one that is no longer the email
-- of the user does not count.

alter table clef_users
    add column verified_email text;

-- With collate "C", lower() folds ASCII alone, whatever the locale.
create index clef_users_verified_email on clef_users (lower(verified_email collate "C"))
    where verified_email is not null;

insert into clef_migrations (version) values (6);
