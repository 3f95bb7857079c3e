-- The spool on PostgreSQL, schema version 1. Plain tables and indexes: what databases that speak PostgreSQL's
-- language take as well. Applied in one transaction; never changed afterwards, a later file changes it.
-- Every time but received_at (the hook's own) is the database's.

CREATE TABLE spool_schema (
    version    integer     PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- A hook's number: grows with the order of accepting, and may leave gaps.
CREATE SEQUENCE spool_hook_seq;

-- A verified hook with its payload: written once, read once, and out of the way of the hot table.
CREATE TABLE spool_hooks (
    seq          bigint           PRIMARY KEY,
    delivery_id  text COLLATE "C" NOT NULL,
    tenant       text COLLATE "C" NOT NULL,
    installation text COLLATE "C" NOT NULL,
    received_at  double precision NOT NULL,
    bytes        integer          NOT NULL,
    about        text             NOT NULL, -- the other fields of Hook, as JSON
    payload      bytea            NOT NULL
);
CREATE INDEX spool_hooks_parked ON spool_hooks (installation) WHERE tenant = '';

-- The hot table. seq = hook's seq * 64 + number of the destination. stream = tenant/destination; parked hooks wait
-- under '/'. A claimed delivery has a lease and is due again when that runs out, so that one index serves both.
CREATE TABLE spool_deliveries (
    seq           bigint           PRIMARY KEY,
    state         smallint         NOT NULL, -- 0 waiting, 1 parked, 2 dead
    stream        text COLLATE "C" NOT NULL,
    due_at        timestamptz      NOT NULL,
    lease         uuid,
    waiting_since timestamptz      NOT NULL,
    received_at   double precision NOT NULL,
    bytes         integer          NOT NULL,
    siblings      smallint         NOT NULL, -- deliveries its hook was stored with, itself included
    attempts      integer          NOT NULL DEFAULT 0,
    ambiguous     integer          NOT NULL DEFAULT 0,
    fault         text             NOT NULL DEFAULT '',
    delivery_id   text COLLATE "C" NOT NULL,
    cause         text,
    buried_at     timestamptz
);
CREATE INDEX spool_deliveries_due     ON spool_deliveries (stream, due_at) WHERE state = 0;
CREATE INDEX spool_deliveries_leased  ON spool_deliveries (stream)         WHERE state = 0 AND lease IS NOT NULL;
CREATE INDEX spool_deliveries_waiting ON spool_deliveries (waiting_since)  WHERE state < 2;
CREATE INDEX spool_deliveries_dead    ON spool_deliveries (delivery_id)    WHERE state = 2;
CREATE INDEX spool_deliveries_buried  ON spool_deliveries (buried_at)      WHERE state = 2;

-- What was accepted lately, by dedup key.
CREATE TABLE spool_seen (
    dedup_key   bytea            PRIMARY KEY,
    delivery_id text COLLATE "C" NOT NULL,
    at          timestamptz      NOT NULL
);
CREATE INDEX spool_seen_at ON spool_seen (at);

-- Who adds to which rows of the books: a connection that writes has a shard to itself, so that no two replicas
-- queue for one row; one whose time is over goes to whoever comes next. hooks and bytes are what is stored, added
-- up over all shards (one alone may be negative).
CREATE TABLE spool_shards (
    shard integer     PRIMARY KEY,
    owner uuid        NOT NULL,
    until timestamptz NOT NULL,
    hooks bigint      NOT NULL DEFAULT 0,
    bytes bigint      NOT NULL DEFAULT 0
);

-- The books: counts that only ever grow, in the same transaction as what they count; added up over all shards.
CREATE TABLE spool_ledger (
    stream    text COLLATE "C" NOT NULL,
    shard     integer          NOT NULL,
    accepted  bigint           NOT NULL DEFAULT 0,
    delivered bigint           NOT NULL DEFAULT 0,
    filtered  bigint           NOT NULL DEFAULT 0,
    discarded bigint           NOT NULL DEFAULT 0,
    adopted   bigint           NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, shard)
);
