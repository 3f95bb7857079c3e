"""Storing batches of hooks: who they are, whether there is room, and the one statement."""
