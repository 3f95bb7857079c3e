-- The statements of the spool on PostgreSQL, by name. now() is the database's clock and the only one.
-- Rows go in and out as arrays: one statement, one round trip, whatever their number.

-- name: accept
-- One batch, whole or not at all. $1 to $4 who each hook is: delivery_id, digest of its key, digest of its bytes (empty:
-- none), whether it may be resent; $5 to $9 the rest of the hooks; $10 to $13 their deliveries; $14 the shard; $15 the
-- seconds within which bytes can be a resend. A hook
-- whose key is known, or that is a resend (app/spool/identity.py has the rule), is left out and told with the first one's
-- id; one that has the bytes of another is stored and told which.
-- What is known of bytes is locked before anything follows from it. A digest that another connection has stored since the
-- statement began fails it, and it is tried again. Both go in the digests' own order, so that two connections with the
-- same ones wait for each other and never both.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::boolean[])
        WITH ORDINALITY AS g (delivery_id, key_digest, body_digest, resendable, n)
),
known AS MATERIALIZED (
    SELECT n, delivery_id FROM (
        SELECT n, (SELECT s.delivery_id FROM spool_seen s WHERE s.dedup_key = g.key_digest) AS delivery_id
        FROM given g WHERE g.key_digest <> ''
    ) AS looked_up WHERE delivery_id IS NOT NULL
),
body AS MATERIALIZED (
    SELECT b.body_digest, s.delivery_id, s.resend_id,
        s.unanswered AND s.resend_at >= now() - $15::double precision * interval '1 second' AS unanswered
    FROM (
        SELECT DISTINCT body_digest FROM given
        WHERE body_digest <> '' AND n NOT IN (SELECT n FROM known) ORDER BY body_digest
    ) AS b CROSS JOIN LATERAL (SELECT * FROM spool_seen o WHERE o.dedup_key = b.body_digest FOR UPDATE) AS s
),
resent AS MATERIALIZED (
    SELECT DISTINCT ON (b.body_digest) g.n, b.body_digest, b.resend_id AS delivery_id
    FROM given g JOIN body b ON b.body_digest = g.body_digest
    WHERE g.resendable AND b.unanswered ORDER BY b.body_digest, g.n
),
own AS MATERIALIZED (
    SELECT g.n, g.delivery_id, g.key_digest, g.body_digest, CASE WHEN g.body_digest <> '' THEN coalesce(
        b.delivery_id, first_value(g.delivery_id) OVER (PARTITION BY g.body_digest ORDER BY g.n)
    ) END AS first_id
    FROM given g LEFT JOIN body b ON b.body_digest = g.body_digest
    WHERE g.n NOT IN (SELECT n FROM known) AND g.n NOT IN (SELECT n FROM resent)
),
fresh AS MATERIALIZED (
    SELECT nextval('spool_hook_seq') AS seq, f.* FROM (
        SELECT h.n, o.delivery_id, h.tenant, h.installation, h.received_at, h.payload,
            CASE WHEN o.first_id <> o.delivery_id THEN substr(h.about, 1, length(h.about) - 1) || ',"' || o.first_id || '"]'
                ELSE h.about END AS about
        FROM unnest($5::text[], $6::text[], $7::double precision[], $8::text[], $9::bytea[])
            WITH ORDINALITY AS h (tenant, installation, received_at, about, payload, n)
        JOIN own o ON o.n = h.n ORDER BY h.n
    ) AS f
),
fresh_delivery AS MATERIALIZED (
    SELECT f.seq * 64 + d.number AS seq, CASE f.tenant WHEN '' THEN 1 ELSE 0 END AS state, d.stream, f.received_at,
        octet_length(f.payload) AS bytes, d.siblings, f.delivery_id
    FROM unnest($10::integer[], $11::integer[], $12::text[], $13::integer[]) AS d (n, number, stream, siblings)
    JOIN fresh f ON f.n = d.n
),
digests AS (
    INSERT INTO spool_seen (dedup_key, delivery_id, at)
    SELECT digest, delivery_id, now() FROM (
        SELECT key_digest AS digest, delivery_id FROM own WHERE key_digest <> ''
        UNION ALL
        SELECT body_digest, delivery_id FROM own
        WHERE delivery_id = first_id AND body_digest NOT IN (SELECT body_digest FROM body)
    ) AS new ORDER BY digest
    RETURNING 1
),
bodies AS (
    UPDATE spool_seen s SET at = now(), unanswered = s.unanswered AND NOT b.is_resent
    FROM (SELECT body_digest, body_digest IN (SELECT body_digest FROM resent) AS is_resent FROM body) AS b
    WHERE s.dedup_key = b.body_digest
),
hooks AS (
    INSERT INTO spool_hooks (seq, delivery_id, tenant, installation, received_at, bytes, about, payload)
    SELECT seq, delivery_id, tenant, installation, received_at, octet_length(payload), about, payload FROM fresh
),
deliveries AS (
    INSERT INTO spool_deliveries
        (seq, state, stream, due_at, waiting_since, received_at, bytes, siblings, delivery_id)
    SELECT seq, state, stream, now(), now(), received_at, bytes, siblings, delivery_id FROM fresh_delivery
),
booked AS (
    INSERT INTO spool_ledger AS l (stream, shard, accepted)
    SELECT stream, $14::integer, count(*) FROM fresh_delivery GROUP BY stream ORDER BY stream
    ON CONFLICT (stream, shard) DO UPDATE SET accepted = l.accepted + excluded.accepted
),
held AS (
    INSERT INTO spool_tenant_fill AS t (tenant, shard, hooks, bytes)
    SELECT tenant, $14::integer, count(*), sum(octet_length(payload)) FROM fresh GROUP BY tenant ORDER BY tenant
    ON CONFLICT (tenant, shard) DO UPDATE SET hooks = t.hooks + excluded.hooks, bytes = t.bytes + excluded.bytes
),
filled AS (
    UPDATE spool_shards SET hooks = hooks + (SELECT count(*) FROM fresh), until = now() + interval '60 seconds',
        bytes = bytes + (SELECT sum(octet_length(payload)) FROM fresh), seen = seen + (SELECT count(*) FROM digests)
    WHERE shard = $14::integer AND EXISTS (SELECT 1 FROM fresh)
)
SELECT 'total' AS kind, 0::bigint AS n, '' AS said, coalesce(sum(hooks), 0)::bigint AS hooks,
    coalesce(sum(bytes), 0)::bigint AS bytes FROM spool_shards
UNION ALL
SELECT 'tenant', 0, tenant, sum(hooks)::bigint, sum(bytes)::bigint FROM spool_tenant_fill
WHERE tenant = ANY ($5::text[]) GROUP BY tenant
UNION ALL
SELECT 'repeat', n, delivery_id, 0, 0 FROM known
UNION ALL
SELECT 'repeat', n, delivery_id, 0, 0 FROM resent
UNION ALL
SELECT 'marked', n, first_id, 0, 0 FROM own WHERE first_id <> delivery_id;

-- name: look
-- What is known of these digests, and the time.
SELECT s.dedup_key, s.delivery_id, s.resend_id, extract(epoch FROM s.resend_at)::double precision, s.unanswered,
    extract(epoch FROM clock.now)::double precision
FROM (SELECT now() AS now) AS clock LEFT JOIN spool_seen s ON s.dedup_key = ANY ($1::bytea[]);

-- name: held
-- How full it is, altogether and of these tenants.
SELECT 'total', coalesce(sum(hooks), 0)::bigint, coalesce(sum(bytes), 0)::bigint FROM spool_shards
UNION ALL
SELECT tenant, sum(hooks)::bigint, sum(bytes)::bigint FROM spool_tenant_fill WHERE tenant = ANY ($1::text[]) GROUP BY tenant;

-- name: all_tenant_fill
SELECT tenant, sum(hooks)::bigint, sum(bytes)::bigint FROM spool_tenant_fill GROUP BY tenant;

-- name: parked_fill
SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM spool_deliveries WHERE state = 1;

-- name: oldest_parked
SELECT seq, bytes FROM spool_deliveries WHERE state = 1 ORDER BY seq LIMIT $1::integer;

-- name: stored
-- Which of these ids are stored, or were.
SELECT delivery_id FROM spool_hooks WHERE delivery_id = ANY ($1::text[])
UNION
SELECT delivery_id FROM spool_history WHERE delivery_id = ANY ($1::text[]);

-- name: note_unanswered
UPDATE spool_seen s SET unanswered = true, resend_id = note.resend_id,
    resend_at = CASE s.resend_id WHEN note.resend_id THEN s.resend_at ELSE now() END
FROM unnest($1::bytea[], $2::text[]) AS note (dedup_key, resend_id) WHERE s.dedup_key = note.dedup_key;

-- name: take_shard
-- The first shard that is nobody's.
UPDATE spool_shards SET owner = $1::uuid, until = now() + interval '60 seconds'
WHERE shard = (SELECT shard FROM spool_shards WHERE until <= now() ORDER BY shard LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING shard;

-- name: new_shard
INSERT INTO spool_shards (shard, owner, until)
SELECT coalesce(max(shard), 0) + 1, $1::uuid, now() + interval '60 seconds' FROM spool_shards
ON CONFLICT (shard) DO NOTHING RETURNING shard;

-- name: keep_shard
UPDATE spool_shards SET until = now() + interval '60 seconds' WHERE shard = $1::integer AND owner = $2::uuid;

-- name: leave_shard
UPDATE spool_shards SET until = now() WHERE shard = $1::integer AND owner = $2::uuid;

-- name: taken
-- A part of the next two, which have its name where it belongs.
-- Due deliveries of every stream, beginning with the one after $1 and once around. The streams are found by skipping
-- through the index, which costs a look-up a stream however long the backlogs are. $2 busy streams, $3 at most of one
-- stream, $4 at most of one stream under lease anywhere, $5 at most in all, $6 payload bytes, $7 lease, $8 its length,
-- $9 streams at most, $10 whether one larger than $6 comes alone.
-- Rows that another replica is about to take are passed over; the condition on due_at is what makes them nobody else's.
WITH RECURSIVE stream (name, due_at, lap, number) AS (
    SELECT $1::text COLLATE "C", NULL::timestamptz, 0, 0
    UNION ALL
    SELECT next.stream, next.due_at, next.lap, s.number + 1
    FROM stream s CROSS JOIN LATERAL (
        (SELECT d.stream, d.due_at, s.lap FROM spool_deliveries d
         WHERE d.state = 0 AND d.stream > s.name ORDER BY d.stream, d.due_at LIMIT 1)
        UNION ALL
        (SELECT d.stream, d.due_at, 1 FROM spool_deliveries d
         WHERE d.state = 0 AND s.lap = 0 ORDER BY d.stream, d.due_at LIMIT 1)
        LIMIT 1
    ) AS next
    WHERE (next.lap = 0 OR next.stream <= $1::text COLLATE "C") AND s.number < $9::integer
),
candidate AS MATERIALIZED (
    SELECT due.seq, due.bytes
    FROM stream s CROSS JOIN LATERAL (
        SELECT d.seq, d.bytes FROM spool_deliveries d
        WHERE d.state = 0 AND d.stream = s.name AND d.due_at <= now()
        ORDER BY d.due_at, d.seq
        LIMIT least($3::integer, greatest(0, $4::integer - (
            SELECT count(*) FROM spool_deliveries held
            WHERE held.state = 0 AND held.stream = s.name AND held.lease IS NOT NULL AND held.due_at > now()
        )))
        FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE s.due_at <= now() AND s.name <> ALL ($2::text[])
    LIMIT $5::integer
),
placed AS (SELECT seq, bytes, row_number() OVER () AS place FROM candidate),
picked AS MATERIALIZED (
    SELECT seq, place FROM (SELECT seq, place, sum(bytes) OVER (ORDER BY place) AS total FROM placed) AS summed
    WHERE (place = 1 AND $10::boolean) OR total <= $6::bigint
),
taken AS (
    UPDATE spool_deliveries d SET lease = $7::uuid, due_at = now() + $8::double precision * interval '1 second'
    FROM picked WHERE d.seq = picked.seq AND d.state = 0 AND d.due_at <= now()
    RETURNING d.seq, d.stream, d.attempts, d.ambiguous, d.bytes, picked.place
);

-- name: claim
{taken}
SELECT t.seq, t.stream, t.attempts, t.ambiguous,
    h.delivery_id, h.tenant, h.installation, h.received_at, h.about, h.payload
FROM taken t JOIN spool_hooks h ON h.seq = t.seq / 64 ORDER BY t.place;

-- name: claim_bare
-- The same where not every hook can be read: which, and their payload bytes.
{taken}
SELECT t.seq, t.stream, t.bytes FROM taken t ORDER BY t.place;

-- name: load
-- What the claim gives, of deliveries that are under this lease already.
SELECT d.seq, d.stream, d.attempts, d.ambiguous,
    h.delivery_id, h.tenant, h.installation, h.received_at, h.about, h.payload
FROM spool_deliveries d JOIN spool_hooks h ON h.seq = d.seq / 64
WHERE d.seq = ANY ($1::bigint[]) AND d.lease = $2::uuid ORDER BY array_position($1::bigint[], d.seq);

-- name: load_bare
-- The same without what is in the other table.
SELECT d.seq, d.stream, d.attempts, d.ambiguous, d.delivery_id, split_part(d.stream, '/', 1), '', d.received_at, '', ''
FROM spool_deliveries d WHERE d.seq = $1::bigint AND d.lease = $2::uuid;

-- name: renew
UPDATE spool_deliveries d SET due_at = now() + $3::double precision * interval '1 second'
FROM unnest($1::bigint[], $2::uuid[]) AS ours (seq, lease)
WHERE d.seq = ours.seq AND d.lease = ours.lease AND d.state = 0 AND d.due_at > now()
RETURNING d.seq;

-- name: settle
-- Removes them, and the hooks that had no other delivery from the beginning; $8: the history has them from now on.
-- $3 the state they end in; $4 to $7 the posts since they were claimed: how many, how many of them ambiguous, when the
-- first began, and their lines.
WITH gone AS (
    DELETE FROM spool_deliveries d
    USING unnest($1::bigint[], $2::uuid[], $3::integer[], $4::integer[], $5::integer[], $6::double precision[],
        $7::text[]) AS ours (seq, lease, state, attempts, ambiguous, first_attempt_at, tried)
    WHERE d.seq = ours.seq AND d.lease = ours.lease AND d.state = 0 AND d.due_at > now()
    RETURNING d.seq, d.delivery_id, d.stream, ours.state, d.received_at, d.bytes, d.siblings,
        d.attempts + ours.attempts AS attempts, d.ambiguous + ours.ambiguous AS ambiguous,
        coalesce(d.first_attempt_at, ours.first_attempt_at) AS first_attempt_at, d.tried || ours.tried AS tried, d.fault
),
ended AS (
    INSERT INTO spool_history (seq, delivery_id, stream, state, received_at, ended_at, bytes, installation, attempts,
        ambiguous, first_attempt_at, tried, fault, about)
    SELECT g.seq, g.delivery_id, g.stream, g.state, g.received_at, now(), g.bytes, h.installation, g.attempts,
        g.ambiguous, g.first_attempt_at,
        CASE WHEN length(g.tried) > 4000 THEN substr(right(g.tried, 4001), strpos(right(g.tried, 4001), chr(10)) + 1)
            ELSE g.tried END, g.fault, h.about
    FROM gone g JOIN spool_hooks h ON h.seq = g.seq / 64 WHERE $8::boolean
),
emptied AS (
    DELETE FROM spool_hooks h USING gone WHERE h.seq = gone.seq / 64 AND gone.siblings = 1
    RETURNING h.seq, h.tenant, h.bytes
)
SELECT g.seq, g.stream, g.siblings, g.state, e.tenant, e.bytes FROM gone g LEFT JOIN emptied e ON e.seq = g.seq / 64;

-- name: lock_hooks
-- Of hooks with several deliveries: two replicas that settle the last two at the same time look one after the other.
SELECT seq FROM spool_hooks WHERE seq = ANY ($1::bigint[]) ORDER BY seq FOR UPDATE;

-- name: delete_emptied
DELETE FROM spool_hooks h WHERE h.seq = ANY ($1::bigint[])
    AND NOT EXISTS (SELECT 1 FROM spool_deliveries d WHERE d.seq >= h.seq * 64 AND d.seq < (h.seq + 1) * 64)
RETURNING h.tenant, h.bytes;

-- name: release
UPDATE spool_deliveries d
SET lease = NULL, due_at = now() + ours.retry_in_s * interval '1 second', attempts = d.attempts + ours.attempts,
    ambiguous = d.ambiguous + ours.ambiguous,
    first_attempt_at = coalesce(d.first_attempt_at, ours.first_attempt_at),
    tried = CASE WHEN length(d.tried || ours.tried) > 4000
        THEN substr(right(d.tried || ours.tried, 4001), strpos(right(d.tried || ours.tried, 4001), chr(10)) + 1)
        ELSE d.tried || ours.tried END,
    fault = CASE ours.fault WHEN '' THEN d.fault ELSE ours.fault END
FROM unnest($1::bigint[], $2::uuid[], $3::integer[], $4::integer[], $5::double precision[], $6::text[],
    $7::double precision[], $8::text[])
    AS ours (seq, lease, attempts, ambiguous, first_attempt_at, tried, retry_in_s, fault)
WHERE d.seq = ours.seq AND d.lease = ours.lease AND d.state = 0 AND d.due_at > now()
RETURNING d.seq;

-- name: bury
UPDATE spool_deliveries d
SET state = 2, lease = NULL, cause = ours.cause, fault = ours.detail, buried_at = now(),
    attempts = d.attempts + ours.attempts, ambiguous = d.ambiguous + ours.ambiguous,
    first_attempt_at = coalesce(d.first_attempt_at, ours.first_attempt_at),
    tried = CASE WHEN length(d.tried || ours.tried) > 4000
        THEN substr(right(d.tried || ours.tried, 4001), strpos(right(d.tried || ours.tried, 4001), chr(10)) + 1)
        ELSE d.tried || ours.tried END
FROM unnest($1::bigint[], $2::uuid[], $3::integer[], $4::integer[], $5::double precision[], $6::text[], $7::text[],
    $8::text[]) AS ours (seq, lease, attempts, ambiguous, first_attempt_at, tried, cause, detail)
WHERE d.seq = ours.seq AND d.lease = ours.lease AND d.state = 0 AND d.due_at > now()
RETURNING d.seq;

-- name: give_up
-- Leases that end with their holder.
UPDATE spool_deliveries d SET lease = NULL, due_at = now()
FROM unnest($1::bigint[], $2::uuid[]) AS ours (seq, lease)
WHERE d.seq = ours.seq AND d.lease = ours.lease AND d.state = 0 AND d.due_at > now();

-- name: book
INSERT INTO spool_ledger AS l (stream, shard, accepted, delivered, filtered, discarded, adopted)
SELECT stream, $1::integer, accepted, delivered, filtered, discarded, adopted
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
    AS more (stream, accepted, delivered, filtered, discarded, adopted)
ORDER BY stream
ON CONFLICT (stream, shard) DO UPDATE SET accepted = l.accepted + excluded.accepted,
    delivered = l.delivered + excluded.delivered, filtered = l.filtered + excluded.filtered,
    discarded = l.discarded + excluded.discarded, adopted = l.adopted + excluded.adopted;

-- name: add_fill
-- $2 more (or fewer) hooks, $3 bytes and $4 of the history; $5 to $7 whose hooks and bytes they are.
WITH held AS (
    INSERT INTO spool_tenant_fill AS t (tenant, shard, hooks, bytes)
    SELECT tenant, $1::integer, hooks, bytes FROM unnest($5::text[], $6::bigint[], $7::bigint[]) AS m (tenant, hooks, bytes)
    ORDER BY tenant
    ON CONFLICT (tenant, shard) DO UPDATE SET hooks = t.hooks + excluded.hooks, bytes = t.bytes + excluded.bytes
)
UPDATE spool_shards SET hooks = hooks + $2::bigint, bytes = bytes + $3::bigint, history = history + $4::bigint,
    until = now() + interval '60 seconds'
WHERE shard = $1::integer;

-- name: add_seen
UPDATE spool_shards SET seen = seen + $2::bigint WHERE shard = $1::integer;

-- name: parked
SELECT DISTINCT installation FROM spool_hooks WHERE tenant = '';

-- name: find_parked
-- Dead letters keep their hook's empty tenant: only what is still parked can be adopted.
SELECT h.seq, h.delivery_id, h.received_at, h.bytes FROM spool_hooks h JOIN spool_deliveries d ON d.seq = h.seq * 64
WHERE h.tenant = '' AND h.installation = $1::text AND d.state = 1
ORDER BY h.seq LIMIT 500 FOR UPDATE SKIP LOCKED;

-- name: unpark
DELETE FROM spool_deliveries WHERE seq = ANY ($1::bigint[]) AND state = 1;

-- name: adopt_hooks
UPDATE spool_hooks SET tenant = $1::text WHERE seq = ANY ($2::bigint[]);

-- name: insert_adopted
INSERT INTO spool_deliveries (seq, state, stream, due_at, waiting_since, received_at, bytes, siblings, delivery_id)
SELECT h.seq * 64 + d.number - 1, 0, d.stream, now(), now(), h.received_at, h.bytes, $5::integer, h.delivery_id
FROM unnest($1::bigint[], $2::text[], $3::double precision[], $4::integer[])
    AS h (seq, delivery_id, received_at, bytes)
CROSS JOIN unnest($6::text[]) WITH ORDINALITY AS d (stream, number);

-- name: expire
-- What nobody is delivering just now and waited too long, longest first.
UPDATE spool_deliveries d
SET state = 2, lease = NULL, buried_at = now(), cause = CASE d.state WHEN 1 THEN $2::text ELSE $3::text END,
    fault = CASE d.fault WHEN '' THEN $4::text ELSE $4::text || '; last fault: ' || d.fault END
WHERE d.state < 2 AND d.seq = ANY (ARRAY(
    SELECT old.seq FROM spool_deliveries old
    WHERE old.state < 2 AND old.waiting_since < now() - $1::double precision * interval '1 second'
        AND NOT (old.lease IS NOT NULL AND old.due_at > now())
    ORDER BY old.waiting_since LIMIT $5::integer FOR UPDATE SKIP LOCKED
))
RETURNING d.stream, d.cause;

-- name: forget_seen
-- Digests last seen longer than $1 seconds ago, or more than $2 ago. What two replicas mean is removed once.
DELETE FROM spool_seen WHERE dedup_key = ANY (ARRAY(
    SELECT dedup_key FROM (
        SELECT dedup_key, at, row_number() OVER (ORDER BY at) AS place FROM (
            SELECT dedup_key, at FROM spool_seen ORDER BY at LIMIT $3::integer FOR UPDATE SKIP LOCKED
        ) AS low
    ) AS oldest
    WHERE at < now() - $1::double precision * interval '1 second'
        OR place <= (SELECT sum(seen) FROM spool_shards) - $2::bigint
))
RETURNING 1;

-- name: ledger
SELECT stream, sum(accepted)::bigint, sum(delivered)::bigint, sum(filtered)::bigint, sum(discarded)::bigint,
    sum(adopted)::bigint
FROM spool_ledger GROUP BY stream;

-- name: count_states
SELECT stream, count(*) FILTER (WHERE state < 2), count(*) FILTER (WHERE state = 2)
FROM spool_deliveries GROUP BY stream;

-- name: fill
SELECT coalesce(sum(hooks), 0)::bigint AS hooks, coalesce(sum(bytes), 0)::bigint AS bytes,
    coalesce(sum(seen), 0)::bigint AS seen
FROM spool_shards;

-- name: graves
-- Payload bytes of dead letters, and when the oldest was buried.
SELECT coalesce(sum(bytes), 0)::bigint, extract(epoch FROM min(buried_at))::double precision
FROM spool_deliveries WHERE state = 2;

-- name: remembered
SELECT coalesce(sum(history), 0)::bigint FROM spool_shards;

-- name: oldest_waiting
SELECT received_at FROM spool_deliveries WHERE state = 0 ORDER BY waiting_since, seq LIMIT 1;

-- name: oldest_of
-- Of one stream's waiting deliveries, among those that are due first.
SELECT min(received_at) AS oldest FROM (
    SELECT received_at FROM spool_deliveries WHERE state = 0 AND stream = $1::text ORDER BY due_at LIMIT 10000
) AS due;

-- name: safety
-- What the server says of its own care. Databases that are not PostgreSQL know none of these names, or not all.
SELECT name, setting FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'transaction_read_only');

-- name: version
SELECT max(version) FROM spool_schema;

-- name: tables
-- How many there are, and whether the schema's version is among them, and the mark of a copy that has not ended.
SELECT count(*), count(*) FILTER (WHERE table_name = 'spool_schema'), count(*) FILTER (WHERE table_name = 'spool_copying')
FROM information_schema.tables
WHERE table_schema = current_schema();

-- name: set_version
INSERT INTO spool_schema (version) VALUES ($1::integer);
