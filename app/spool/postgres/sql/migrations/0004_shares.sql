-- Schema version 4: how much of the spool each tenant holds ('': parked hooks and what came of them), added up over all
-- shards as the books are.

CREATE TABLE spool_tenant_fill (
    tenant text COLLATE "C" NOT NULL,
    shard  integer          NOT NULL,
    hooks  bigint           NOT NULL,
    bytes  bigint           NOT NULL,
    PRIMARY KEY (tenant, shard)
);
INSERT INTO spool_tenant_fill (tenant, shard, hooks, bytes) SELECT tenant, 0, count(*), sum(bytes) FROM spool_hooks GROUP BY tenant;

-- The oldest parked hooks go first; of dead letters, those of the stream that has most.
CREATE INDEX spool_deliveries_parked      ON spool_deliveries (seq, bytes)                    WHERE state = 1;
CREATE INDEX spool_deliveries_dead_stream ON spool_deliveries (stream, buried_at, seq, bytes) WHERE state = 2;
