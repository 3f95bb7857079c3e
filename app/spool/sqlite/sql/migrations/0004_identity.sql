-- Schema version 4: the same bytes are not the same hook.

-- A row is for an idempotency key, or for bytes. Of bytes, delivery_id is the first hook that had them, and resend_id the
-- latest that was not answered in time, which a resend is; since when, and whether that is so still.
ALTER TABLE seen ADD COLUMN resend_id  TEXT;
ALTER TABLE seen ADD COLUMN resend_at  REAL;
ALTER TABLE seen ADD COLUMN unanswered INTEGER NOT NULL DEFAULT 0;

-- How many there are, so that nobody has to count them.
ALTER TABLE fill ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
UPDATE fill SET seen = (SELECT count(*) FROM seen);
