-- The statements of app/spool/sqlite/spool.py, by name. Where a name says so in its comment, the one row of
-- placeholders is repeated for as many rows as there are: one statement a table and batch keeps the number of
-- times the writer has to ask for the interpreter's lock small.

-- name: find_seen (rows)
SELECT dedup_key, delivery_id, resend_id, resend_at, unanswered FROM seen WHERE dedup_key IN (VALUES (?));

-- name: insert_hooks (rows)
INSERT INTO hooks (seq, delivery_id, tenant, installation, received_at, bytes, about, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_deliveries (rows)
INSERT INTO deliveries (seq, state, stream, due_at, waiting_since, received_at, bytes, delivery_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_seen (rows)
-- What is there already moves to the end, by a seq of its own: the oldest stay the first rows.
INSERT OR REPLACE INTO seen (dedup_key, at, delivery_id, resend_id, resend_at, unanswered) VALUES (?, ?, ?, ?, ?, ?);

-- name: note_unanswered
UPDATE seen SET unanswered = 1, resend_id = :id, resend_at = CASE resend_id WHEN :id THEN resend_at ELSE :now END
WHERE dedup_key = :digest;

-- name: book_accepted (rows)
INSERT INTO ledger (stream, accepted) VALUES (?, ?)
ON CONFLICT (stream) DO UPDATE SET accepted = accepted + excluded.accepted;

-- name: book_delivered (rows)
INSERT INTO ledger (stream, delivered) VALUES (?, ?)
ON CONFLICT (stream) DO UPDATE SET delivered = delivered + excluded.delivered;

-- name: book_filtered (rows)
INSERT INTO ledger (stream, filtered) VALUES (?, ?)
ON CONFLICT (stream) DO UPDATE SET filtered = filtered + excluded.filtered;

-- name: book_discarded (rows)
INSERT INTO ledger (stream, discarded) VALUES (?, ?)
ON CONFLICT (stream) DO UPDATE SET discarded = discarded + excluded.discarded;

-- name: book_adopted (rows)
INSERT INTO ledger (stream, adopted) VALUES (?, ?)
ON CONFLICT (stream) DO UPDATE SET adopted = adopted + excluded.adopted;

-- name: fill
SELECT hooks, bytes, seen FROM fill;

-- name: add_fill
UPDATE fill SET hooks = hooks + ?, bytes = bytes + ?;

-- name: tenant_fill (rows)
SELECT tenant, hooks, bytes FROM tenant_fill WHERE tenant IN (VALUES (?));

-- name: add_tenant_fill (rows)
INSERT INTO tenant_fill (tenant, hooks, bytes) VALUES (?, ?, ?)
ON CONFLICT (tenant) DO UPDATE SET hooks = hooks + excluded.hooks, bytes = bytes + excluded.bytes;

-- name: all_tenant_fill
SELECT tenant, hooks, bytes FROM tenant_fill;

-- name: add_accepted
UPDATE fill SET hooks = hooks + ?, bytes = bytes + ?, seen = seen + ?;

-- name: last_seq
SELECT max((SELECT coalesce(max(seq), 0) FROM hooks), (SELECT coalesce(max(seq), 0) >> 6 FROM deliveries));

-- name: candidates
-- Due deliveries, at most :per_stream of each stream, of the streams after :after first and then of the others, as one
-- JSON text. The streams are found by skipping through the index, which costs a look-up a stream however long the
-- backlogs are.
WITH RECURSIVE
    leased(seq) AS (SELECT value FROM json_each(:leased)),
    later(name) AS (
        SELECT min(stream) FROM deliveries WHERE state = 0 AND stream > :after
        UNION ALL
        SELECT (SELECT min(d.stream) FROM deliveries d WHERE d.state = 0 AND d.stream > later.name)
        FROM later WHERE later.name IS NOT NULL
    ),
    sooner(name) AS (
        SELECT min(stream) FROM deliveries WHERE state = 0 AND stream <= :after
        UNION ALL
        SELECT (
            SELECT min(d.stream) FROM deliveries d
            WHERE d.state = 0 AND d.stream > sooner.name AND d.stream <= :after
        )
        FROM sooner WHERE sooner.name IS NOT NULL
    ),
    stream(name) AS (SELECT name FROM later UNION ALL SELECT name FROM sooner)
SELECT json_group_array(json_array(seq, bytes, stream)) FROM (
    SELECT d.seq, d.bytes, d.stream
    FROM stream CROSS JOIN deliveries d ON d.seq IN (
        SELECT due.seq FROM deliveries due
        WHERE due.state = 0 AND due.stream = stream.name AND due.due_at <= :now
          AND due.seq NOT IN (SELECT seq FROM leased)
        ORDER BY due.due_at, due.seq LIMIT :per_stream
    )
    WHERE stream.name IS NOT NULL AND stream.name NOT IN (SELECT value FROM json_each(:busy))
    LIMIT :limit
);

-- name: candidates_of
-- The same of one stream.
SELECT seq, bytes, stream FROM deliveries
WHERE state = 0 AND stream = :stream AND due_at <= :now AND stream NOT IN (SELECT value FROM json_each(:busy))
  AND seq NOT IN (SELECT value FROM json_each(:leased))
ORDER BY due_at, seq LIMIT :per_stream;

-- name: load_bare
-- What there is to say of a delivery whose hook cannot be read.
SELECT seq, stream, attempts, ambiguous, delivery_id, substr(stream, 1, instr(stream, '/') - 1), '', received_at, '', ''
FROM deliveries WHERE seq = ? AND state = 0;

-- name: load
SELECT d.seq, d.stream, d.attempts, d.ambiguous,
       h.delivery_id, h.tenant, h.installation, h.received_at, h.about, h.payload
FROM json_each(?) picked CROSS JOIN deliveries d ON d.seq = picked.value CROSS JOIN hooks h ON h.seq = d.seq >> 6
WHERE d.state = 0;

-- name: delete_deliveries
DELETE FROM deliveries WHERE seq IN (SELECT value FROM json_each(?));

-- name: left_over
-- Of these hooks, those with no delivery left, by tenant.
SELECT tenant, -count(*), -sum(bytes), json_group_array(seq) FROM hooks
WHERE seq IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.seq >= hooks.seq << 6 AND d.seq < (hooks.seq + 1) << 6)
GROUP BY tenant;

-- name: delete_hooks
DELETE FROM hooks WHERE seq IN (SELECT value FROM json_each(?));

-- name: kept
-- A part of the next three, which have its name where it belongs: the lines of posts, of very many the latest.
CASE WHEN length(tried) + length(:tried) <= 4000 THEN tried || :tried
        ELSE substr(substr(tried || :tried, -4001), instr(substr(tried || :tried, -4001), char(10)) + 1) END;

-- name: remember
-- Into the history, with the posts that come to those that are known.
INSERT INTO history (seq, delivery_id, stream, state, received_at, ended_at, bytes, installation, attempts, ambiguous,
    first_attempt_at, tried, fault, cause, about)
SELECT d.seq, d.delivery_id, d.stream, :state, d.received_at, :now, d.bytes, h.installation, d.attempts + :posts,
    d.ambiguous + :ambiguous, coalesce(d.first_attempt_at, :first_at),
    {kept},
    d.fault, d.cause, h.about
FROM json_each(:seqs) picked JOIN deliveries d ON d.seq = picked.value JOIN hooks h ON h.seq = d.seq >> 6;

-- name: release
UPDATE deliveries
SET due_at = :due_at, attempts = attempts + :posts, ambiguous = ambiguous + :ambiguous,
    first_attempt_at = coalesce(first_attempt_at, :first_at),
    tried = {kept},
    fault = CASE :fault WHEN '' THEN fault ELSE :fault END
WHERE seq IN (SELECT value FROM json_each(:seqs));

-- name: set_back
UPDATE deliveries SET due_at = max(:now, due_at - :back), waiting_since = min(waiting_since, :now)
WHERE state = 0 AND due_at > :now;

-- name: latest
SELECT latest FROM fill;

-- name: reach
UPDATE fill SET latest = max(latest, ?);

-- name: now_is
UPDATE fill SET latest = ?;

-- name: bury
UPDATE deliveries
SET state = 2, cause = :cause, fault = :detail, buried_at = :now, attempts = attempts + :posts,
    ambiguous = ambiguous + :ambiguous, first_attempt_at = coalesce(first_attempt_at, :first_at),
    tried = {kept}
WHERE seq = :seq AND state = 0;

-- name: parked
SELECT DISTINCT installation FROM hooks WHERE tenant = '';

-- name: parked_fill
SELECT count(*), coalesce(sum(bytes), 0) FROM deliveries WHERE state = 1;

-- name: oldest_parked
SELECT seq, bytes FROM deliveries WHERE state = 1 ORDER BY seq;

-- name: find_parked
-- Dead letters keep their hook's empty tenant: only what is still parked can be adopted.
SELECT h.seq, h.delivery_id, h.received_at, h.bytes FROM hooks h JOIN deliveries d ON d.seq = h.seq << 6
WHERE h.tenant = '' AND h.installation = ? AND d.state = 1 ORDER BY h.seq LIMIT 500;

-- name: adopt_hooks
UPDATE hooks SET tenant = ? WHERE seq IN (SELECT value FROM json_each(?));

-- name: still_expired
SELECT seq, state, stream FROM deliveries
WHERE seq IN (SELECT value FROM json_each(:seqs)) AND state < 2 AND waiting_since < :before;

-- name: expire
UPDATE deliveries
SET buried_at = :now, state = 2, cause = CASE state WHEN 1 THEN :unclaimed ELSE :expired END,
    fault = CASE fault WHEN '' THEN :detail ELSE :detail || '; last fault: ' || fault END
WHERE seq IN (SELECT value FROM json_each(:seqs));

-- name: forget_seen
-- Looks at the oldest rows only: those last seen before :before, or beyond :keep in number.
DELETE FROM seen WHERE seq IN (
    SELECT seq FROM (SELECT seq, at FROM seen ORDER BY seq LIMIT :most) WHERE at < :before
    UNION
    SELECT seq FROM (
        SELECT seq FROM seen ORDER BY seq LIMIT min(:most, max(0, (SELECT fill.seen FROM fill) - :keep))
    )
);

-- name: add_seen
UPDATE fill SET seen = seen + ?;

-- name: ledger
SELECT stream, accepted, delivered, filtered, discarded, adopted FROM ledger;

-- name: count_states
SELECT stream, sum(state < 2), sum(state = 2) FROM deliveries GROUP BY stream;

-- name: oldest_waiting
SELECT received_at FROM deliveries WHERE state = 0 ORDER BY seq LIMIT 1;

-- name: oldest_of
-- Of one stream's waiting deliveries, among those that are due first.
SELECT min(received_at) FROM (
    SELECT received_at FROM deliveries WHERE state = 0 AND stream = ? ORDER BY due_at LIMIT 10000
);

-- name: graves
-- The bytes of dead letters, and when the oldest was buried.
SELECT coalesce(sum(bytes), 0), min(buried_at) FROM deliveries WHERE state = 2;

-- name: remembered
-- Numbers follow each other without a gap: only the first rows are ever removed.
SELECT coalesce((SELECT max(number) FROM history) - (SELECT min(number) FROM history) + 1, 0);
