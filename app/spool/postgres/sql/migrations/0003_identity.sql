-- Schema version 3: the same bytes are not the same hook.

-- A row is for an idempotency key, or for bytes. Of bytes, delivery_id is the first hook that had them, and resend_id the
-- latest that was not answered in time, which a resend is; since when, and whether that is so still.
ALTER TABLE spool_seen ADD COLUMN resend_id  text COLLATE "C";
ALTER TABLE spool_seen ADD COLUMN resend_at  timestamptz;
ALTER TABLE spool_seen ADD COLUMN unanswered boolean NOT NULL DEFAULT false;

-- How many rows there are, added up over all shards as hooks and bytes are.
ALTER TABLE spool_shards ADD COLUMN seen bigint NOT NULL DEFAULT 0;
UPDATE spool_shards SET seen = (SELECT count(*) FROM spool_seen) WHERE shard = (SELECT min(shard) FROM spool_shards);
