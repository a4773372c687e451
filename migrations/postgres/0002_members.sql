-- The table of axum_clef::leased::PostgresLogoutBus.
--
-- `PostgresUserStore::migrate` applies it after the earlier files. To apply it by hand, also for users
-- in your own tables:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0002_members.sql "$DATABASE_URL"
--
-- A role of the site that does not own the table needs only these rights:
--
--     grant select, insert, update, delete on clef_members to site;

create table if not exists clef_migrations (
    version    integer     primary key,
    applied_at timestamptz not null default now()
);

-- The nodes that cache users: a node without a row caches none. A logout waits until every node with a
-- row has acknowledged it, or until every lease is over.
--
-- A node that stops deletes its row. The row of a node that has crashed is deleted by another node once
-- its heartbeat has not changed for three leases. Delete a row by hand only if the node is stopped, or
-- has not been reachable for four seconds.
create table clef_members (
    -- A random name, new each time the node joins.
    member    text   collate "C" primary key,
    -- How long the node caches users, in microseconds. All nodes have the same lease.
    lease     bigint not null,
    -- Incremented each time the node finds its row.
    heartbeat bigint not null default 0,
    -- For administrators only.
    joined_at timestamptz not null default now()
)
-- Each heartbeat writes a new version of the row, which then fits the same page.
with (fillfactor = 20);

insert into clef_migrations (version) values (2);
