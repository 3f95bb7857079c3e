-- Schema version 5: how much of the spool each tenant holds ('': parked hooks and what came of them).

CREATE TABLE tenant_fill (
    tenant TEXT    NOT NULL PRIMARY KEY,
    hooks  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO tenant_fill
SELECT substr(stream, 1, instr(stream, '/') - 1), count(*), sum(bytes)
FROM (SELECT min(stream) AS stream, bytes FROM deliveries GROUP BY seq >> 6)
GROUP BY 1;

-- The oldest parked hooks go first; of dead letters, those of the stream that has most.
CREATE INDEX deliveries_parked      ON deliveries (seq, bytes, state)                    WHERE state = 1;
CREATE INDEX deliveries_dead_stream ON deliveries (stream, buried_at, seq, bytes, state) WHERE state = 2;
