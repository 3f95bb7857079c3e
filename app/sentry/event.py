"""An error event as the views read it: of everything that Sentry sends, what they use.

Two ways lead here. ``error_created`` and ``alert_triggered`` have msgspec put a payload straight into these structures,
which costs less the more of it is passed over; they take only what looks as Sentry writes it today. ``event_of``
(in ``lenient``) makes the same of an object of any shape. What comes out by the first way comes out by the second.

- A field of type ``object`` holds any JSON value: whoever reads it asks what it is.
- A field of type ``None`` is a guard: an old spelling, or the mark of another resource, which only the lenient way
  understands. A payload that has it goes there.
- Integers beyond 64 bits are exact here, where orjson makes floats of them: ``values.number`` refuses both.
- What is passed over has to be JSON, but may hold bytes that are no UTF-8 and numbers that no double can hold.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

TAG_NAME_CHARS_MAX = 100
TAG_CHARS_MAX = 400

TagName = Annotated[str, Meta(min_length=1, max_length=TAG_NAME_CHARS_MAX)]
TagText = Annotated[str, Meta(min_length=1, max_length=TAG_CHARS_MAX)]
EXCEPTIONS_MAX = 100
"""Exceptions of a chain that are read, the outermost ones. Sentry's SDKs stop at 50."""
FRAMES_MAX = 500
"""Frames of a stack that are read, the newest ones. Sentry keeps 250."""
THREADS_MAX = 500
"""Threads that are read, the first ones."""
BREADCRUMBS_MAX = 100
"""Breadcrumbs that are read, the newest ones: as many as SDKs keep by default."""
TYPED_OBJECTS_MAX = 20_000
"""A payload of more JSON objects is read leniently, which leaves out what is beyond the counts above unread."""
_UNCOUNTED_BYTES_MAX = 1_000_000
"""A payload of no more bytes is not counted, which takes as long as decoding it; its objects take 60 MB at most."""

LineNumber = Annotated[int, Meta(ge=-(1 << 31), lt=1 << 31)]
"""Others are for the lenient way, whose fields hold whatever there is."""


class Frame(Struct, gc=False):
    """One frame of a stack."""

    function: object = None
    module: object = None
    filename: object = None
    abs_path: object = None
    lineno: LineNumber | None = None
    colno: object = None
    in_app: object = None
    package: object = None
    raw_function: object = None
    instruction_addr: object = None
    image_addr: object = None
    addr_mode: object = None


class Stack(Struct, gc=False):
    """Frames, oldest first. ``omitted``: how many older ones were not read; as below, no payload has the key."""

    frames: list[Frame] | None = None
    omitted: int = msgspec.field(default=0, name="(omitted)")


class Mechanism(Struct, gc=False):
    """How an exception was caught."""

    type: object = None
    handled: object = None
    exception_id: object = None
    meta: object = None


class ExceptionInfo(Struct, gc=False):
    """One exception of a chain."""

    type: object = None
    value: object = None
    module: object = None
    mechanism: Mechanism | None = None
    stacktrace: Stack | None = None


class ExceptionChain(Struct, gc=False):
    """Exceptions, innermost first."""

    values: list[ExceptionInfo] | None = None
    omitted: int = msgspec.field(default=0, name="(omitted)")


class Thread(Struct, gc=False):
    """One thread."""

    crashed: object = None
    current: object = None
    stacktrace: Stack | None = None


class Threads(Struct, gc=False):
    """The threads that ran."""

    values: list[Thread] | None = None


class BreadcrumbData(Struct, gc=False):
    """A breadcrumb's ``data``: of a request or a navigation."""

    method: object = None
    url: object = None
    to: object = None
    status_code: object = None


class Breadcrumb(Struct, gc=False):
    """One breadcrumb."""

    timestamp: object = None
    type: object = None
    category: object = None
    level: object = None
    message: object = None
    data: BreadcrumbData | None = None


class Breadcrumbs(Struct, gc=False):
    """Breadcrumbs, oldest first."""

    values: list[Breadcrumb] | None = None
    omitted: int = msgspec.field(default=0, name="(omitted)")


class Request(Struct, gc=False):
    """The request that was being served."""

    url: object = None
    method: object = None
    query_string: object = None
    headers: object = None


class Metadata(Struct, gc=False):
    """What Sentry made the title of."""

    filename: object = None
    function: object = None
    type: object = None
    value: object = None
    title: object = None


class NamedVersion(Struct, gc=False):
    """A name and a version."""

    name: object = None
    version: object = None
    app_name: object = None
    app_version: object = None


class LogEntry(Struct, gc=False):
    """A message that was logged."""

    formatted: object = None
    message: object = None


class Geo(Struct, gc=False):
    """Where somebody seems to be."""

    country_code: object = None


class User(Struct, gc=False):
    """Whom it happened to."""

    id: object = None
    email: object = None
    ip_address: object = None
    username: object = None
    name: object = None
    geo: Geo | None = None


class Event(Struct, gc=False):
    """A normalised error event."""

    event_id: object = None
    project: object = None
    release: object = None
    dist: object = None
    platform: object = None
    message: object = None
    datetime: object = None
    tags: list[tuple[TagName, TagText]] | None = None
    breadcrumbs: Breadcrumbs | None = None
    contexts: object = None
    environment: object = None
    exception: ExceptionChain | None = None
    fingerprint: object = None
    level: object = None
    logger: object = None
    logentry: LogEntry | None = None
    metadata: Metadata | None = None
    received: object = None
    request: Request | None = None
    sdk: NamedVersion | None = None
    server_name: object = None
    stacktrace: Stack | None = None
    threads: Threads | None = None
    timestamp: object = None
    transaction: object = None
    user: User | None = None
    title: object = None
    culprit: object = None
    url: object = None
    web_url: object = None
    issue_url: object = None
    issue_id: object = None
    id: object = None
    occurrence: object = None
    type: object = None
    main_exception_id: object = None
    csp: object = None
    expectct: object = None
    expectstaple: object = None
    hpkp: object = None
    nel: object = None
    old_exception: None = msgspec.field(default=None, name="sentry.interfaces.Exception")
    old_message: None = msgspec.field(default=None, name="sentry.interfaces.Message")


class _Errors(Struct, gc=False):
    """``data`` of an error. The guards are what only other resources have (see ``resources``)."""

    error: Event
    event: None = None
    activity: None = None
    metric_alert: None = None
    comment_id: None = None
    installation: None = None
    run_id: None = None
    sentry_run_id: None = None
    buildId: None = None  # noqa: N815 - Sentry's spelling


class TriggeredAlert(Struct, gc=False):
    """``data`` of an issue alert: the event, and the rule that it made trigger."""

    event: Event
    triggered_rule: object = None
    issue_alert: object = None


class _Alerts(TriggeredAlert, gc=False):
    """``data`` of an issue alert, guarded as ``_Errors`` is."""

    error: None = None
    activity: None = None
    metric_alert: None = None
    comment_id: None = None
    installation: None = None
    run_id: None = None
    sentry_run_id: None = None
    buildId: None = None  # noqa: N815 - Sentry's spelling


class ErrorCreated(Struct, gc=False):
    """The payload of ``error.created``, about which nothing is odd."""

    action: Literal["created"]
    data: _Errors
    installation: object = None
    actor: object = None


class AlertTriggered(Struct, gc=False):
    """The payload of ``event_alert.triggered``, about which nothing is odd."""

    action: Literal["triggered"]
    data: _Alerts
    installation: object = None
    actor: object = None


_ERROR = msgspec.json.Decoder(ErrorCreated)
_ALERT = msgspec.json.Decoder(AlertTriggered)
_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)
"""``ValueError`` is what msgspec has for bytes that are no UTF-8."""


def error_created(payload: bytes) -> ErrorCreated | None:
    """The payload, or ``None``: it has to be read the lenient way."""
    if _too_many(payload):
        return None
    try:
        return _ERROR.decode(payload)
    except _REFUSALS:
        return None


def alert_triggered(payload: bytes) -> AlertTriggered | None:
    """The payload, or ``None``: it has to be read the lenient way."""
    if _too_many(payload):
        return None
    try:
        return _ALERT.decode(payload)
    except _REFUSALS:
        return None


def _too_many(payload: bytes) -> bool:
    """Whether the payload has more objects than structures should be made of: as a frame, ``{}`` takes 170 bytes."""
    return len(payload) > _UNCOUNTED_BYTES_MAX and payload.count(b"{") > TYPED_OBJECTS_MAX
