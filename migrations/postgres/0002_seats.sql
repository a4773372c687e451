-- The table of axum_clef::leased::PostgresLogoutBus.
--
-- `PostgresUserStore::migrate` applies this file, after those before it. By hand, also where the
-- users are in tables of your own:
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file 0002_seats.sql "$DATABASE_URL"
--
-- A site whose role owns none of this needs these rights and no more:
--
--     grant select, insert, update, delete on clef_seats to site;

create table if not exists clef_migrations (
    version    integer     primary key,
    applied_at timestamptz not null default now()
);

-- The nodes that keep users in memory: whoever has no row here keeps none. A logout waits until
-- every node with a row has said that it has forgotten, or until all that they can have is over.
--
-- A node that stops takes its row away, and one that died has it taken away by another, which saw
-- its beat stand still for long enough. To delete one by hand is safe only when the node has
-- been stopped, or after it has not been reachable for four seconds.
create table clef_seats (
    -- By chance, a new one each time.
    seat     text   collate "C" primary key,
    -- How long the node keeps what it reads, in microseconds; the same for all.
    lease    bigint not null,
    -- One more each time that the node has found its row still there.
    beat     bigint not null default 0,
    -- For whoever reads this; nothing goes by it.
    taken_at timestamptz not null default now()
)
-- Every beat writes a row anew, in the room that is left on its page.
with (fillfactor = 20);

insert into clef_migrations (version) values (2);
