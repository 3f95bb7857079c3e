"""The spool in PostgreSQL, shared by replicas."""
