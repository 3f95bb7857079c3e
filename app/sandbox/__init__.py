"""A stand-in Splunk and a stand-in Sentry, for the demo, ``relay send`` and the tests."""
