-- The statements of app/spool/postgres/archive.py, by name: dead letters, what has ended, who changed what by hand.

-- name: redeliver
-- Dead letters of $1, in its order, due (and counted as waiting) from $2 seconds on, $3 seconds apart. One that was parked is parked again:
-- without a tenant there is nowhere to deliver it.
WITH dead AS MATERIALIZED (
    SELECT d.seq FROM spool_deliveries d
    WHERE d.state = 2 AND d.seq = ANY ($1::bigint[]) ORDER BY d.seq FOR UPDATE
),
placed AS (
    SELECT dead.seq, row_number() OVER (ORDER BY given.place) - 1 AS place
    FROM unnest($1::bigint[]) WITH ORDINALITY AS given (seq, place) JOIN dead ON dead.seq = given.seq
),
changed AS (
    UPDATE spool_deliveries d
    SET state = CASE d.stream WHEN '/' THEN 1 ELSE 0 END, cause = NULL, buried_at = NULL,
        due_at = now() + ($2::double precision + placed.place * $3::double precision) * interval '1 second',
        waiting_since = now() + ($2::double precision + placed.place * $3::double precision) * interval '1 second'
    FROM placed WHERE d.seq = placed.seq AND d.state = 2
    RETURNING placed.place, d.delivery_id
)
SELECT delivery_id FROM changed ORDER BY place;

-- name: discard
-- Dead letters ($4 is 2) of $1 that were buried by $2 (those of any time if it is null), or parked ones ($4 is 1); $3: the
-- history has them from now on.
-- Two replicas that mean the same ones wait for each other, and the second finds them gone.
WITH dead AS MATERIALIZED (
    SELECT d.seq FROM spool_deliveries d
    WHERE d.state = $4::integer AND d.seq = ANY ($1::bigint[])
        AND ($2::timestamptz IS NULL OR d.buried_at <= $2::timestamptz)
    ORDER BY d.seq FOR UPDATE
),
gone AS (
    DELETE FROM spool_deliveries d USING dead WHERE d.seq = dead.seq AND d.state = $4::integer
    RETURNING d.seq, d.delivery_id, d.stream, d.received_at, d.bytes, d.siblings, d.attempts, d.ambiguous,
        d.first_attempt_at, d.tried, d.fault, d.cause
),
ended AS (
    INSERT INTO spool_history (seq, delivery_id, stream, state, received_at, ended_at, bytes, installation, attempts,
        ambiguous, first_attempt_at, tried, fault, cause, about)
    SELECT g.seq, g.delivery_id, g.stream, 5, g.received_at, now(), g.bytes, h.installation, g.attempts, g.ambiguous,
        g.first_attempt_at, g.tried, g.fault, g.cause, h.about
    FROM gone g JOIN spool_hooks h ON h.seq = g.seq / 64 WHERE $3::boolean
)
SELECT seq, stream, siblings, delivery_id FROM gone ORDER BY seq;

-- name: too_old
-- Dead letters that were buried longer than $1 seconds ago, the oldest first.
SELECT seq, buried_at FROM spool_deliveries
WHERE state = 2 AND buried_at < now() - $1::double precision * interval '1 second'
ORDER BY buried_at, seq LIMIT $2::integer;

-- name: dead_bytes
-- Of each stream, out of an index alone.
SELECT stream, sum(bytes)::bigint FROM spool_deliveries WHERE state = 2 GROUP BY stream;

-- name: too_many
-- The oldest dead letters of the streams $2, as many as it takes to have $1 bytes fewer; looks at $3 of each.
SELECT seq, buried_at FROM (
    SELECT seq, buried_at, sum(bytes) OVER (ORDER BY buried_at, seq) - bytes AS older
    FROM unnest($2::text[]) AS s (stream) CROSS JOIN LATERAL (
        SELECT d.seq, d.buried_at, d.bytes FROM spool_deliveries d WHERE d.state = 2 AND d.stream = s.stream
        ORDER BY d.buried_at, d.seq LIMIT $3::integer
    ) AS oldest
) AS summed
WHERE older < $1::bigint ORDER BY older LIMIT $3::integer;

-- name: forget_history
-- What ended longest ago: longer than $1 seconds, or more than $2 ago; looks at $3 at most. Two replicas mean the same
-- ones, and the second finds them gone: what is over a limit is not removed twice.
WITH oldest AS MATERIALIZED (
    SELECT number, ended_at, row_number() OVER (ORDER BY number) AS place FROM (
        SELECT number, ended_at FROM spool_history ORDER BY number LIMIT $3::integer
    ) AS low
)
DELETE FROM spool_history h USING oldest
WHERE h.number = oldest.number AND (
    oldest.ended_at < now() - $1::double precision * interval '1 second'
    OR oldest.place <= (SELECT sum(history) FROM spool_shards) - $2::bigint
)
RETURNING 1;

-- name: put_audit
INSERT INTO spool_audit (at, action, actor, reason, count, delivery_ids)
VALUES (now(), $1::text, $2::text, $3::text, $4::integer, $5::text);

-- name: audit
SELECT number, extract(epoch FROM at)::double precision, action, actor, reason, count, delivery_ids FROM spool_audit
WHERE number < $1::bigint ORDER BY number DESC LIMIT $2::integer;

-- name: narrowed
-- A part of the five that find, which have its name where it belongs. $1 seq below, $2 how many, $3 states, $4, $5
-- streams from and before, $6 destination or null, $7 causes or null, $8, $9 received from and before.
d.seq < $1::bigint AND d.state = ANY ($3::integer[]) AND d.stream >= $4::text AND d.stream < $5::text
    AND ($6::text IS NULL OR substr(d.stream, strpos(d.stream, '/') + 1) = $6::text)
    AND ($7::text[] IS NULL OR d.cause = ANY ($7::text[]))
    AND d.received_at >= $8::double precision AND d.received_at < $9::double precision;

-- name: stored
-- Another part: what is shown of a delivery and its hook.
d.seq, d.delivery_id, d.stream, d.state, h.installation, d.received_at, d.bytes, h.about, d.attempts, d.ambiguous,
    d.first_attempt_at, d.tried, d.fault, d.cause, extract(epoch FROM d.due_at)::double precision,
    extract(epoch FROM d.buried_at)::double precision;

-- name: ended
-- Another part: what is shown of one in the history.
d.seq, d.delivery_id, d.stream, d.state, d.installation, d.received_at, d.bytes, d.about, d.attempts, d.ambiguous,
    d.first_attempt_at, d.tried, d.fault, d.cause, NULL, extract(epoch FROM d.ended_at)::double precision;

-- name: find_dead
SELECT {stored} FROM (
    SELECT * FROM spool_deliveries d WHERE d.state = 2 AND {narrowed} ORDER BY d.seq DESC LIMIT $2::integer
) AS d JOIN spool_hooks h ON h.seq = d.seq / 64 ORDER BY d.seq DESC;

-- name: find_waiting
SELECT {stored} FROM (
    SELECT * FROM spool_deliveries d WHERE d.state < 2 AND {narrowed} ORDER BY d.seq DESC LIMIT $2::integer
) AS d JOIN spool_hooks h ON h.seq = d.seq / 64 ORDER BY d.seq DESC;

-- name: find_stored_by_id
SELECT {stored} FROM spool_hooks h CROSS JOIN LATERAL (
    SELECT * FROM spool_deliveries o WHERE o.seq >= h.seq * 64 AND o.seq < (h.seq + 1) * 64 ORDER BY o.seq LIMIT 64
) AS d
WHERE h.delivery_id = ANY ($10::text[]) AND {narrowed} ORDER BY d.seq DESC LIMIT $2::integer;

-- name: find_ended
SELECT {ended} FROM spool_history d WHERE {narrowed} ORDER BY d.seq DESC LIMIT $2::integer;

-- name: find_ended_by_id
SELECT {ended} FROM spool_history d WHERE d.delivery_id = ANY ($10::text[]) AND {narrowed}
ORDER BY d.seq DESC LIMIT $2::integer;
