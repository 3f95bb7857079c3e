-- The statements of app/spool/sqlite/salvage, by name: what a damaged file held goes into a new one.

-- name: make
-- How far each damaged file has been taken over. kept: how many deliveries of each stream, as JSON; lost: words, as JSON.
CREATE TABLE IF NOT EXISTS takeover (
    file        TEXT    NOT NULL PRIMARY KEY,
    hooks       INTEGER NOT NULL DEFAULT 0,
    hook_after  INTEGER NOT NULL DEFAULT 0,
    seen_after  INTEGER NOT NULL DEFAULT 0,
    audit_after INTEGER NOT NULL DEFAULT 0,
    kept        TEXT    NOT NULL DEFAULT '{}',
    lost        TEXT    NOT NULL DEFAULT '[]',
    done        INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- name: begin
INSERT OR IGNORE INTO takeover (file) VALUES (?);

-- name: progress
SELECT file, hooks, hook_after, seen_after, audit_after, kept, lost, done FROM takeover WHERE file = ?;

-- name: save
UPDATE takeover SET hooks = ?, hook_after = ?, seen_after = ?, audit_after = ?, kept = ?, lost = ?, done = ? WHERE file = ?;

-- name: count_seen
UPDATE fill SET seen = (SELECT count(*) FROM seen);

-- name: book
INSERT INTO ledger (stream, accepted, delivered, filtered, discarded, adopted) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (stream) DO UPDATE SET accepted = accepted + excluded.accepted, delivered = delivered + excluded.delivered,
    filtered = filtered + excluded.filtered, discarded = discarded + excluded.discarded,
    adopted = adopted + excluded.adopted;
