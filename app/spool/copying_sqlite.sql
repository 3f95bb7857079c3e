-- The statements of app/spool/copying_sqlite.py, by name.

-- name: hooks
SELECT seq, delivery_id, tenant, installation, received_at, about, payload FROM hooks
WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: deliveries
SELECT seq, state, stream, due_at, attempts, ambiguous, fault, cause, buried_at FROM deliveries
WHERE seq >= ? AND seq < ? ORDER BY seq;

-- name: seen
-- Their seq follows the time, so that a page costs one look into the table.
SELECT dedup_key, delivery_id, at, seq FROM seen WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: ledger
SELECT stream, accepted, delivered, filtered, discarded, adopted FROM ledger ORDER BY stream;

-- name: used
SELECT (SELECT count(*) FROM hooks) + (SELECT count(*) FROM seen) + (SELECT count(*) FROM ledger);

-- name: put_hook
INSERT OR IGNORE INTO hooks (seq, delivery_id, tenant, installation, received_at, bytes, about, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_delivery
INSERT OR IGNORE INTO deliveries
    (seq, state, stream, due_at, received_at, bytes, attempts, ambiguous, fault, delivery_id, cause, buried_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_seen
INSERT OR IGNORE INTO seen (dedup_key, delivery_id, at) VALUES (?, ?, ?);

-- name: put_ledger
INSERT INTO ledger (stream, accepted, delivered, filtered, discarded, adopted) VALUES (?, ?, ?, ?, ?, ?);

-- name: put_fill
UPDATE fill SET hooks = (SELECT count(*) FROM hooks), bytes = (SELECT coalesce(sum(bytes), 0) FROM hooks);
