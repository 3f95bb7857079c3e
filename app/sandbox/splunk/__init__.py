"""A stand-in Splunk: the HTTP Event Collector on a real port, exact where it was measured, scriptable where it fails.

It shares no code with the rooms it tests: what it knows of HEC it knows by itself.

Pure, bytes and values in, values out:

- ``protocol``   who is admitted, and what a request comes to
- ``batch``      a body as a stream of objects: what is taken, what stops the reading (``fast_line``, ``walk``)
- ``envelope``   the rules for one object
- ``answers``    every code with its status and text, and what proxies say
- ``faults``     what may go wrong, as data; ``plan`` what a request then comes to; ``fault_script`` reads files
- ``acks``       one indexer's ack memory; ``front`` the balancer before the indexers

Thin:

- ``wire``       one connection, spoken by h11
- ``store``      what was indexed and asked
- ``server``     ``StandInSplunk``: clock, sockets, tasks
"""

from app.sandbox.splunk.faults import Fault
from app.sandbox.splunk.model import HecToken, Indexed, RequestSeen
from app.sandbox.splunk.server import BUSY_IDLE_CLOSE_S, IDLE_CLOSE_S, StandInSplunk

__all__ = [
    "BUSY_IDLE_CLOSE_S",
    "IDLE_CLOSE_S",
    "Fault",
    "HecToken",
    "Indexed",
    "RequestSeen",
    "StandInSplunk",
]
