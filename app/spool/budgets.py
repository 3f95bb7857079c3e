"""What the budgets say when they discard, the same in every engine."""

from app.model import Change

TOO_OLD = Change("relay", "dead letters older than RELAY_DEAD_AGE_MAX_S")
TOO_MANY = Change("relay", "dead letters over RELAY_DEAD_BYTES_MAX")
