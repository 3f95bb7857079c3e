"""A spool copied from one engine to the other, counts and digests checked."""
