-- The statements of app/spool/copy/postgres.py, by name. Times are whole microseconds.

-- name: at_work
SELECT count(*) FROM spool_shards WHERE until > now();

-- name: hooks
SELECT seq, delivery_id, tenant, installation, received_at, about, payload FROM spool_hooks
WHERE seq > $1::bigint ORDER BY seq LIMIT $2::integer;

-- name: deliveries
SELECT seq, state, stream, (extract(epoch FROM due_at) * 1000000)::bigint,
    (extract(epoch FROM waiting_since) * 1000000)::bigint, attempts, ambiguous, first_attempt_at, tried, fault, cause,
    (extract(epoch FROM buried_at) * 1000000)::bigint
FROM spool_deliveries WHERE seq >= $1::bigint AND seq < $2::bigint ORDER BY seq;

-- name: seen
SELECT dedup_key, delivery_id, (extract(epoch FROM at) * 1000000)::bigint, resend_id,
    (extract(epoch FROM resend_at) * 1000000)::bigint, unanswered
FROM spool_seen
WHERE (at, dedup_key) > (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2::bytea)
ORDER BY at, dedup_key LIMIT $3::integer;

-- name: history
SELECT number, seq, delivery_id, stream, state, received_at, (extract(epoch FROM ended_at) * 1000000)::bigint, bytes,
    installation, attempts, ambiguous, first_attempt_at, tried, fault, cause, about
FROM spool_history WHERE number > $1::bigint ORDER BY number LIMIT $2::integer;

-- name: audit
SELECT number, (extract(epoch FROM at) * 1000000)::bigint, action, actor, reason, count, delivery_ids
FROM spool_audit WHERE number > $1::bigint ORDER BY number LIMIT $2::integer;

-- name: ledger
SELECT stream, sum(accepted)::bigint, sum(delivered)::bigint, sum(filtered)::bigint, sum(discarded)::bigint,
    sum(adopted)::bigint
FROM spool_ledger GROUP BY stream ORDER BY stream;

-- name: used
SELECT (SELECT count(*) FROM spool_hooks) + (SELECT count(*) FROM spool_seen) + (SELECT count(*) FROM spool_ledger)
    + (SELECT count(*) FROM spool_history) + (SELECT count(*) FROM spool_audit);

-- name: is_marked
SELECT count(*) FROM information_schema.tables
WHERE table_schema = current_schema() AND table_name = 'spool_copying';

-- name: mark
CREATE TABLE spool_copying (source text NOT NULL);

-- name: put_mark
INSERT INTO spool_copying (source) VALUES ($1::text);

-- name: marked
SELECT source FROM spool_copying;

-- name: unmark
DROP TABLE spool_copying;

-- name: reached
SELECT (SELECT coalesce(max(seq), 0) FROM spool_hooks), (SELECT coalesce(max(number), 0) FROM spool_history),
    (SELECT coalesce(max(number), 0) FROM spool_audit);

-- name: put_hooks
INSERT INTO spool_hooks (seq, delivery_id, tenant, installation, received_at, bytes, about, payload)
SELECT seq, delivery_id, tenant, installation, received_at, octet_length(payload), about, payload
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::double precision[], $6::text[], $7::bytea[])
    AS h (seq, delivery_id, tenant, installation, received_at, about, payload)
ON CONFLICT (seq) DO NOTHING;

-- name: put_deliveries
INSERT INTO spool_deliveries (seq, state, stream, due_at, waiting_since, attempts, ambiguous, first_attempt_at, tried,
    fault, cause, buried_at, received_at, bytes, siblings, delivery_id)
SELECT seq, state, stream, timestamptz 'epoch' + due_at * interval '1 microsecond',
    timestamptz 'epoch' + waiting_since * interval '1 microsecond', attempts, ambiguous, first_attempt_at, tried, fault,
    cause, timestamptz 'epoch' + buried_at * interval '1 microsecond', received_at, bytes, siblings, delivery_id
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[], $7::integer[],
    $8::double precision[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::double precision[],
    $14::integer[], $15::integer[], $16::text[])
    AS d (seq, state, stream, due_at, waiting_since, attempts, ambiguous, first_attempt_at, tried, fault, cause,
    buried_at, received_at, bytes, siblings, delivery_id)
ON CONFLICT (seq) DO NOTHING;

-- name: put_seen
INSERT INTO spool_seen (dedup_key, delivery_id, at, resend_id, resend_at, unanswered)
SELECT dedup_key, delivery_id, timestamptz 'epoch' + at * interval '1 microsecond', resend_id,
    timestamptz 'epoch' + resend_at * interval '1 microsecond', unanswered
FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::boolean[])
    AS s (dedup_key, delivery_id, at, resend_id, resend_at, unanswered)
ON CONFLICT (dedup_key) DO NOTHING;

-- name: put_history
INSERT INTO spool_history (number, seq, delivery_id, stream, state, received_at, ended_at, bytes, installation, attempts,
    ambiguous, first_attempt_at, tried, fault, cause, about)
SELECT number, seq, delivery_id, stream, state, received_at, timestamptz 'epoch' + ended_at * interval '1 microsecond',
    bytes, installation, attempts, ambiguous, first_attempt_at, tried, fault, cause, about
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::integer[], $6::double precision[], $7::bigint[],
    $8::integer[], $9::text[], $10::integer[], $11::integer[], $12::double precision[], $13::text[], $14::text[],
    $15::text[], $16::text[])
    AS h (number, seq, delivery_id, stream, state, received_at, ended_at, bytes, installation, attempts, ambiguous,
    first_attempt_at, tried, fault, cause, about)
ON CONFLICT (number) DO NOTHING;

-- name: put_audit
INSERT INTO spool_audit (number, at, action, actor, reason, count, delivery_ids)
SELECT number, timestamptz 'epoch' + at * interval '1 microsecond', action, actor, reason, count, delivery_ids
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[])
    AS a (number, at, action, actor, reason, count, delivery_ids)
ON CONFLICT (number) DO NOTHING;

-- name: empty_ledger
DELETE FROM spool_ledger;

-- name: put_ledger
INSERT INTO spool_ledger (stream, shard, accepted, delivered, filtered, discarded, adopted)
SELECT stream, 0, accepted, delivered, filtered, discarded, adopted
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS l (stream, accepted, delivered, filtered, discarded, adopted);

-- name: put_fill
INSERT INTO spool_shards (shard, owner, until, hooks, bytes, history, seen)
SELECT 0, '00000000-0000-0000-0000-000000000000', now(), count(*), coalesce(sum(bytes), 0),
    (SELECT count(*) FROM spool_history), (SELECT count(*) FROM spool_seen)
FROM spool_hooks;

-- name: put_tenant_fill
INSERT INTO spool_tenant_fill (tenant, shard, hooks, bytes)
SELECT tenant, 0, count(*), sum(bytes) FROM spool_hooks GROUP BY tenant;

-- name: put_seq
-- What has ended keeps its number: no hook gets it again.
SELECT setval('spool_hook_seq', (SELECT greatest((SELECT max(seq) FROM spool_hooks),
    (SELECT max(seq) / 64 FROM spool_history), 1)));

-- name: put_history_number
SELECT setval('spool_history_number', (SELECT greatest(max(number), 1) FROM spool_history));

-- name: put_audit_number
SELECT setval('spool_audit_number', (SELECT greatest(max(number), 1) FROM spool_audit));
