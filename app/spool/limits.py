"""What is the same in every engine: how long an accept may take, and what the budgets say when they discard."""

from app.model import AuditAuthor

TOO_OLD = AuditAuthor("relay", "dead letters older than RELAY_DEAD_AGE_MAX_S")
PARKED_OUT = AuditAuthor("relay", "the oldest parked hooks, over RELAY_PARKED_HOOKS_MAX or RELAY_PARKED_BYTES_MAX")
EVICTED_IDS_MAX = 100
"""So many of them are listed in an entry of the audit: whoever sends them must not make that grow as fast."""
TOO_MANY = AuditAuthor("relay", "dead letters over RELAY_DEAD_BYTES_MAX")
ANSWER_S = 0.8
"""Seconds after which an accept has its answer whatever the disk or the database does: Sentry hangs up after one."""
