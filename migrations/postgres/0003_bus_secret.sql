-- The secret of axum_clef::leased::PostgresLogoutBus.
--
-- `PostgresUserStore::migrate` applies this file, after those before it. By hand, after
-- 0002_seats.sql:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0003_bus_secret.sql "$DATABASE_URL"
--
-- A site whose role owns none of this needs this right and no more:
--
--     grant select on clef_bus_secret to site;
--
-- LISTEN and NOTIFY need no right but CONNECT, which PUBLIC has by default, so every role of this
-- server could listen to the nodes of the site and publish in their place. The nodes encrypt and
-- authenticate what they publish with this secret. Other roles still see when logouts happen, and
-- can slow the site down, so close the database to them:
--
--     revoke connect on database site from public;
--     grant connect on database site to site;
--
-- A role that can read this table can end the wait of a logout before every node has acknowledged
-- it. `alter default privileges` may have granted that to a role that only reads reports: see
-- \dp clef_bus_secret.

create table clef_bus_secret (
    -- One row at the most.
    id     boolean primary key default true check (id),
    secret bytea   not null check (octet_length(secret) >= 32)
);

revoke all on clef_bus_secret from public;

-- 244 bits from the random generator of the server that is made for secrets. To change it, update
-- the row and restart the nodes; until all have the new one, logouts wait for the lease.
insert into clef_bus_secret (secret)
values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

insert into clef_migrations (version) values (3);
