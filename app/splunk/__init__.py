"""The HTTP Event Collector: encode and read answers (pure), and one client that does the I/O."""
