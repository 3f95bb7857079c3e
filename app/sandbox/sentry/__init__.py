"""A stand-in Sentry: samples of everything it sends, signed and posted as it would.

It shares no code with the rooms it tests: what it knows of Sentry it knows by itself.

- ``catalogue``  a sample of every resource and action (shapes in ``samples/``, words and names invented)
- ``varying``    what differs from one hook to the next: ids and times, made of a seed and a clock argument
- ``signing``    the headers of each of Sentry's three webhook systems
- ``verdict``    what Sentry would make of an answer, in words
- ``poster``     one POST as Sentry makes it: one try, a second's patience, no redirects
"""

from app.sandbox.sentry.catalogue import INSTALLATION, ORGANIZATION, Sample, large_error, sample, samples
from app.sandbox.sentry.poster import StandInSentry
from app.sandbox.sentry.signing import HookRequest, hook_request, legacy_headers, service_hook_signed, signed
from app.sandbox.sentry.verdict import CONNECTION_FAILED, TIMED_OUT, Answer, verdict

__all__ = [
    "CONNECTION_FAILED",
    "INSTALLATION",
    "ORGANIZATION",
    "TIMED_OUT",
    "Answer",
    "HookRequest",
    "Sample",
    "StandInSentry",
    "hook_request",
    "large_error",
    "legacy_headers",
    "sample",
    "samples",
    "service_hook_signed",
    "signed",
    "verdict",
]
