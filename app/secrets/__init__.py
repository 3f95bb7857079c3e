"""Secrets by reference: ``env:NAME`` and ``file:PATH``, and the last good value of each."""
