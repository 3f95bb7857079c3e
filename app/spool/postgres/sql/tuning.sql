-- What makes PostgreSQL itself faster and means nothing to databases that only speak its language: each statement is
-- tried after every migration, and one that is refused is passed over.

-- name: hot_deliveries
ALTER TABLE spool_deliveries SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- name: hot_hooks
ALTER TABLE spool_hooks SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- name: hot_ledger
ALTER TABLE spool_ledger SET (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- name: hot_history
ALTER TABLE spool_history SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- name: hot_shards
ALTER TABLE spool_shards SET (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- name: payload_as_it_is
-- PostgreSQL's own compression takes several times as long as storing the payload.
ALTER TABLE spool_hooks ALTER COLUMN payload SET STORAGE EXTERNAL;

-- name: payload_lz4
-- Where the server was built with it: a third of the log for next to nothing.
ALTER TABLE spool_hooks ALTER COLUMN payload SET COMPRESSION lz4, ALTER COLUMN payload SET STORAGE EXTENDED;
