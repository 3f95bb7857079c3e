-- The statements of app/spool/copy/sqlite.py, by name.

-- name: hooks
SELECT seq, delivery_id, tenant, installation, received_at, about, payload FROM hooks
WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: deliveries
SELECT seq, state, stream, due_at, waiting_since, attempts, ambiguous, first_attempt_at, tried, fault, cause, buried_at,
    delivery_id, received_at
FROM deliveries WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: known
-- Out of the index alone, for when the table cannot be read.
SELECT seq, due_at FROM deliveries INDEXED BY deliveries_due WHERE state = 0 AND stream = ? ORDER BY due_at;

-- name: seen
-- Their seq follows the time, so that a page costs one look into the table.
SELECT seq, dedup_key, delivery_id, at, resend_id, resend_at, unanswered FROM seen WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: history
SELECT number, seq, delivery_id, stream, state, received_at, ended_at, bytes, installation, attempts, ambiguous,
    first_attempt_at, tried, fault, cause, about
FROM history WHERE number > ? ORDER BY number LIMIT ?;

-- name: audit
SELECT number, at, action, actor, reason, count, delivery_ids FROM audit WHERE number > ? ORDER BY number LIMIT ?;

-- name: ledger
SELECT stream, accepted, delivered, filtered, discarded, adopted FROM ledger ORDER BY stream;

-- name: used
SELECT (SELECT count(*) FROM hooks) + (SELECT count(*) FROM seen) + (SELECT count(*) FROM ledger)
    + (SELECT count(*) FROM history) + (SELECT count(*) FROM audit);

-- name: reached
SELECT (SELECT coalesce(max(seq), 0) FROM hooks), (SELECT coalesce(max(number), 0) FROM history),
    (SELECT coalesce(max(number), 0) FROM audit);

-- name: put_hook
INSERT OR IGNORE INTO hooks (seq, delivery_id, tenant, installation, received_at, bytes, about, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_delivery
INSERT OR IGNORE INTO deliveries
    (seq, state, stream, due_at, waiting_since, received_at, bytes, attempts, ambiguous, first_attempt_at, tried, fault,
    delivery_id, cause, buried_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_seen
INSERT OR IGNORE INTO seen (dedup_key, delivery_id, at, resend_id, resend_at, unanswered) VALUES (?, ?, ?, ?, ?, ?);

-- name: put_history
INSERT OR IGNORE INTO history (number, seq, delivery_id, stream, state, received_at, ended_at, bytes, installation,
    attempts, ambiguous, first_attempt_at, tried, fault, cause, about)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_audit
INSERT OR IGNORE INTO audit (number, at, action, actor, reason, count, delivery_ids) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: put_ledger
INSERT INTO ledger (stream, accepted, delivered, filtered, discarded, adopted) VALUES (?, ?, ?, ?, ?, ?);

-- name: put_fill
UPDATE fill SET hooks = (SELECT count(*) FROM hooks), bytes = (SELECT coalesce(sum(bytes), 0) FROM hooks),
    seen = (SELECT count(*) FROM seen);

-- name: put_tenant_fill
INSERT INTO tenant_fill SELECT tenant, count(*), sum(bytes) FROM hooks GROUP BY tenant;
