"""Storing groups of hooks: who they are, whether there is room, and the rows."""
