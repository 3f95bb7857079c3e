-- The spool on SQLite, schema version 1 (PRAGMA user_version). Applied once, to an empty file.
-- Plain tables and no RETURNING: SQLite 3.32, the oldest that Python 3.11 meets, has to take it.

-- A verified hook with its payload: written once, read once, and out of the way of the hot table.
CREATE TABLE hooks (
    seq          INTEGER PRIMARY KEY,
    delivery_id  TEXT    NOT NULL,
    tenant       TEXT    NOT NULL,
    installation TEXT    NOT NULL,
    received_at  REAL    NOT NULL,
    bytes        INTEGER NOT NULL,
    about        TEXT    NOT NULL, -- the other fields of Hook, as JSON
    payload      BLOB    NOT NULL
);
CREATE INDEX hooks_parked ON hooks (installation) WHERE tenant = '';

-- The hot table. seq = hook's seq * 64 + number of the destination, so that what a hook has left is a range of
-- this key and needs no index. stream = tenant/destination; parked hooks wait under '/'.
CREATE TABLE deliveries (
    seq         INTEGER PRIMARY KEY,
    state       INTEGER NOT NULL, -- 0 waiting, 1 parked, 2 dead
    stream      TEXT    NOT NULL,
    due_at      REAL    NOT NULL,
    received_at REAL    NOT NULL,
    bytes       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    ambiguous   INTEGER NOT NULL DEFAULT 0,
    fault       TEXT    NOT NULL DEFAULT '',
    delivery_id TEXT    NOT NULL,
    cause       TEXT,
    buried_at   REAL
);
CREATE INDEX deliveries_due  ON deliveries (stream, due_at) WHERE state = 0;
CREATE INDEX deliveries_dead ON deliveries (delivery_id)    WHERE state = 2;

-- What was accepted lately, by dedup key. seq follows the time of accepting: the oldest are the first rows.
CREATE TABLE seen (
    seq         INTEGER PRIMARY KEY,
    dedup_key   BLOB NOT NULL UNIQUE,
    delivery_id TEXT NOT NULL,
    at          REAL NOT NULL
);

-- The books: counts that only ever grow, in the same transaction as what they count.
CREATE TABLE ledger (
    stream    TEXT    NOT NULL PRIMARY KEY,
    accepted  INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    filtered  INTEGER NOT NULL DEFAULT 0,
    discarded INTEGER NOT NULL DEFAULT 0,
    adopted   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- How full it is, so that no start has to count payloads.
CREATE TABLE fill (
    hooks INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
INSERT INTO fill VALUES (0, 0);
