-- Schema version 2: what became of a delivery is remembered, and changes made by hand are.

-- Each post, one line of JSON, oldest first; and when the first one began, by the clock of the relay that posted.
ALTER TABLE spool_deliveries ADD COLUMN tried text NOT NULL DEFAULT '';
ALTER TABLE spool_deliveries ADD COLUMN first_attempt_at double precision;

-- Looking for one delivery costs accepting an index of the payloads' table, and the hot table nothing.
CREATE INDEX spool_hooks_delivery_id ON spool_hooks (delivery_id);

-- Dead letters are found by stream and changed by seq; their bytes are added up from an index, and the oldest is its
-- first entry.
DROP INDEX spool_deliveries_dead;
DROP INDEX spool_deliveries_buried;
CREATE INDEX spool_deliveries_of_dead ON spool_deliveries (stream, seq)            WHERE state = 2;
CREATE INDEX spool_deliveries_graves  ON spool_deliveries (buried_at, seq, bytes) WHERE state = 2;

-- Deliveries that have ended. number grows with the time of ending, so that the oldest are the first rows; a delivery
-- ends once.
CREATE SEQUENCE spool_history_number;
CREATE TABLE spool_history (
    number           bigint           PRIMARY KEY DEFAULT nextval('spool_history_number'),
    seq              bigint           NOT NULL,
    delivery_id      text COLLATE "C" NOT NULL,
    stream           text COLLATE "C" NOT NULL,
    state            smallint         NOT NULL, -- 3 delivered, 4 filtered, 5 discarded
    received_at      double precision NOT NULL,
    ended_at         timestamptz      NOT NULL,
    bytes            integer          NOT NULL,
    installation     text COLLATE "C" NOT NULL,
    attempts         integer          NOT NULL,
    ambiguous        integer          NOT NULL,
    first_attempt_at double precision,
    tried            text             NOT NULL,
    fault            text             NOT NULL,
    cause            text,
    about            text             NOT NULL -- the other fields of Hook, as JSON
);
CREATE INDEX spool_history_seq         ON spool_history (seq);
CREATE INDEX spool_history_delivery_id ON spool_history (delivery_id);

-- How many are remembered, added up over all shards as hooks and bytes are.
ALTER TABLE spool_shards ADD COLUMN history bigint NOT NULL DEFAULT 0;

-- Changes made by hand or by a budget. Rows are only ever added.
CREATE SEQUENCE spool_audit_number;
CREATE TABLE spool_audit (
    number       bigint      PRIMARY KEY DEFAULT nextval('spool_audit_number'),
    at           timestamptz NOT NULL,
    action       text        NOT NULL,
    actor        text        NOT NULL,
    reason       text        NOT NULL,
    count        integer     NOT NULL,
    delivery_ids text        NOT NULL -- as JSON
);
