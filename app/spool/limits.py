"""What is the same in every engine: how long an accept may take, and what the budgets say when they discard."""

from app.model import AuditAuthor

TOO_OLD = AuditAuthor("relay", "dead letters older than RELAY_DEAD_AGE_MAX_S")
TOO_MANY = AuditAuthor("relay", "dead letters over RELAY_DEAD_BYTES_MAX")
ANSWER_S = 0.8
"""Seconds after which an accept has its answer whatever the disk or the database does: Sentry hangs up after one."""
