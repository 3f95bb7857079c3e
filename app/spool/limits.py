"""What the budgets say when they discard, the same in every engine."""

from app.model import AuditAuthor

TOO_OLD = AuditAuthor("relay", "dead letters older than RELAY_DEAD_AGE_MAX_S")
TOO_MANY = AuditAuthor("relay", "dead letters over RELAY_DEAD_BYTES_MAX")
