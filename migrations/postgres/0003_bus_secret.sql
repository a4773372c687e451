-- The secret of axum_clef::leased::PostgresLogoutBus.
--
-- `PostgresUserStore::migrate` applies it after the earlier files. To apply it by hand, after
-- 0002_members.sql:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0003_bus_secret.sql "$DATABASE_URL"
--
-- A role of the site that does not own the table needs only this right:
--
--     grant select on clef_bus_secret to site;
--
-- LISTEN and NOTIFY need only CONNECT, which PUBLIC has by default. So every role of the server could
-- read and forge messages of the nodes. The nodes encrypt and authenticate messages with this secret.
-- Other roles still see when logouts happen and can slow the site down, so revoke CONNECT from them:
--
--     revoke connect on database site from public;
--     grant connect on database site to site;
--
-- A role that can read this table can forge acknowledgements, which end the wait of a logout early.
-- `alter default privileges` may have granted that to other roles: check \dp clef_bus_secret.

create table clef_bus_secret (
    -- At most one row.
    id     boolean primary key default true check (id),
    secret bytea   not null check (octet_length(secret) >= 32)
);

revoke all on clef_bus_secret from public;

-- 244 bits of the server's cryptographic random generator. To change the secret, update the row and
-- restart the nodes. Logouts wait for the lease until all nodes have the new secret.
insert into clef_bus_secret (secret)
values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

insert into clef_migrations (version) values (3);
