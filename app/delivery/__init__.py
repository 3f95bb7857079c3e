"""Supervisor, lanes, retry policy and circuit breaker."""
