"""sentry-splunk-relay: Sentry posts webhooks, Splunk gets events, nothing is lost in between.

The map, in the order in which a hook travels:

- ``server``     the HTTP server: uvicorn, and what strangers may take of it
- ``ingest``     a webhook comes in: head, body, tenant, answer
- ``sentry``     what Sentry says: signature, headers, resources (pure)
- ``spool``      the only durable state, and where ``ingest`` and ``delivery`` meet
- ``delivery``   supervisor, lanes, retry policy, circuit breaker
- ``transform``  a hook becomes a hec_event: schema, routing, redaction, size (pure)
- ``splunk``     the HTTP Event Collector: encode, read answers (pure); one client does the I/O

Beside the road: ``tenants`` (who may send, where it goes), ``secrets`` (what references name), ``admin`` (the
operator's API) and ``console`` (pages on top of it), ``cli`` (the commands), ``sandbox`` (a stand-in Splunk
and a stand-in Sentry), ``main`` (the one place where parts are joined), ``settings`` (every knob once),
``asgi`` (what answers HTTP shares), ``verdict`` (is all right?), ``health``, ``metrics``, ``logs``, ``model``
(values that rooms hand to each other), ``globs``, ``backoff``, ``errors``. ``docs/architecture.md`` draws it,
and says what the words mean.
"""

__version__ = "0.1.0"
