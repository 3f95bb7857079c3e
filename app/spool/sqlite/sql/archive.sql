-- The statements of app/spool/sqlite/archive.py, by name: dead letters, what has ended, who changed what by hand.

-- name: dead
-- Those of :seqs that are dead letters.
SELECT seq, stream, delivery_id FROM deliveries
WHERE state = 2 AND seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq;

-- name: parked
-- Those of :seqs that are parked.
SELECT seq, stream, delivery_id FROM deliveries
WHERE state = 1 AND seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq;

-- name: redeliver
-- A dead letter that was parked is parked again: without a tenant there is nowhere to deliver it.
UPDATE deliveries
SET state = CASE stream WHEN '/' THEN 1 ELSE 0 END, due_at = ?, waiting_since = ?, cause = NULL, buried_at = NULL
WHERE seq = ?;

-- name: expired
-- What waits since before :before, but for what is :leased. Goes through the whole table: an index by that time would
-- cost accepting more than looking every few seconds costs anybody.
SELECT seq FROM deliveries
WHERE state < 2 AND waiting_since < :before AND seq NOT IN (SELECT value FROM json_each(:leased))
ORDER BY seq LIMIT :most;

-- name: too_old
-- Dead letters that were buried before :before, the oldest first.
SELECT seq FROM deliveries WHERE state = 2 AND buried_at < :before ORDER BY buried_at, seq LIMIT :most;

-- name: dead_bytes
-- Of each stream, out of an index alone.
SELECT stream, sum(bytes) FROM deliveries INDEXED BY deliveries_dead_stream WHERE state = 2 GROUP BY stream;

-- name: oldest
-- Dead letters of one stream in the order they were buried.
SELECT buried_at, seq, bytes FROM deliveries WHERE state = 2 AND stream = :stream ORDER BY buried_at, seq LIMIT :most;

-- name: forget
-- What ended longest ago: before :before, or beyond :keep in number. Looks at the first rows only.
DELETE FROM history WHERE number IN (
    SELECT number FROM (SELECT number, ended_at FROM history ORDER BY number LIMIT :most)
    WHERE ended_at < :before OR number <= (SELECT max(number) FROM history) - :keep
);

-- name: put_audit
INSERT INTO audit (at, action, actor, reason, count, delivery_ids) VALUES (?, ?, ?, ?, ?, ?);

-- name: audit
SELECT number, at, action, actor, reason, count, delivery_ids FROM audit
WHERE number < :before ORDER BY number DESC LIMIT :most;

-- name: narrowed
-- A part of those that find, which have its name where it belongs.
d.seq < :before AND d.state IN (SELECT value FROM json_each(:states)) AND d.stream >= :first AND d.stream < :last
    AND (:destination IS NULL OR substr(d.stream, instr(d.stream, '/') + 1) = :destination)
    AND (:causes IS NULL OR d.cause IN (SELECT value FROM json_each(:causes)))
    AND (:ids IS NULL OR d.delivery_id IN (SELECT value FROM json_each(:ids)))
    AND d.received_at >= :received_from AND d.received_at < :received_before;

-- name: stored
-- Another part: what is shown of a delivery and its hook.
d.seq, d.delivery_id, d.stream, d.state, h.installation, d.received_at, d.bytes, h.about, d.attempts, d.ambiguous,
    d.first_attempt_at, d.tried, d.fault, d.cause, d.due_at, d.buried_at;

-- name: find_dead
SELECT {stored} FROM (
    SELECT * FROM deliveries d INDEXED BY deliveries_dead
    WHERE d.state = 2 AND {narrowed} ORDER BY d.seq DESC LIMIT :most
) d JOIN hooks h ON h.seq = d.seq >> 6 ORDER BY d.seq DESC;

-- name: find_dead_bare
-- The same where their hooks cannot be read.
SELECT d.seq, d.delivery_id, d.stream, d.state, '', d.received_at, d.bytes, '', d.attempts, d.ambiguous,
    d.first_attempt_at, d.tried, d.fault, d.cause, d.due_at, d.buried_at
FROM deliveries d INDEXED BY deliveries_dead
WHERE d.state = 2 AND {narrowed} ORDER BY d.seq DESC LIMIT :most;

-- name: find_waiting
SELECT {stored} FROM (
    SELECT * FROM deliveries d WHERE d.state < 2 AND {narrowed} ORDER BY d.seq DESC LIMIT :most
) d JOIN hooks h ON h.seq = d.seq >> 6 ORDER BY d.seq DESC;

-- name: find_ended
SELECT d.seq, d.delivery_id, d.stream, d.state, d.installation, d.received_at, d.bytes, d.about, d.attempts,
    d.ambiguous, d.first_attempt_at, d.tried, d.fault, d.cause, NULL, d.ended_at
FROM history d WHERE {narrowed} ORDER BY d.seq DESC LIMIT :most;
