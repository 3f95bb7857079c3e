-- Schema version 3: a clock that was set back is noticed after a crash too.

-- The latest time that anything here goes by, to within a second. A clock that is behind it was set back.
ALTER TABLE fill ADD COLUMN latest REAL NOT NULL DEFAULT 0;
UPDATE fill SET latest = coalesce((SELECT at FROM seen ORDER BY seq DESC LIMIT 1), 0);
