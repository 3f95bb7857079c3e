-- Schema version 2: what became of a delivery is remembered, and so is what was changed by hand.

-- since when it waits (again); each post as a line of JSON, oldest first; when the first one began.
ALTER TABLE deliveries ADD COLUMN waiting_since REAL NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN tried TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN first_attempt_at REAL;
UPDATE deliveries SET waiting_since = received_at;

-- Dead letters are changed by seq and discarded in the order they were buried. Their bytes are added up from the index
-- alone, which has to hold the state too for that.
DROP INDEX deliveries_dead;
CREATE INDEX deliveries_dead   ON deliveries (seq)                          WHERE state = 2;
CREATE INDEX deliveries_graves ON deliveries (buried_at, seq, bytes, state) WHERE state = 2;

-- Deliveries that have ended. number follows the time of ending: the oldest are the first rows. An index by
-- delivery_id would write a page a delivery; people look for one rarely, and the table is bounded.
CREATE TABLE history (
    number           INTEGER PRIMARY KEY,
    seq              INTEGER NOT NULL,
    delivery_id      TEXT    NOT NULL,
    stream           TEXT    NOT NULL,
    state            INTEGER NOT NULL, -- 3 delivered, 4 filtered, 5 discarded
    received_at      REAL    NOT NULL,
    ended_at         REAL    NOT NULL,
    bytes            INTEGER NOT NULL,
    installation     TEXT    NOT NULL,
    attempts         INTEGER NOT NULL,
    ambiguous        INTEGER NOT NULL,
    first_attempt_at REAL,
    tried            TEXT    NOT NULL,
    fault            TEXT    NOT NULL,
    cause            TEXT,
    about            TEXT    NOT NULL -- the other fields of Hook, as JSON
);
CREATE INDEX history_seq ON history (seq);

-- Changes made by hand or by a budget. Rows are only ever added.
CREATE TABLE audit (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    at           REAL    NOT NULL,
    action       TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    count        INTEGER NOT NULL,
    delivery_ids TEXT    NOT NULL -- as JSON
);
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit only grows'); END;
CREATE TRIGGER audit_is_final BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit only grows'); END;
