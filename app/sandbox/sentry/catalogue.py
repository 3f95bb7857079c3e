"""A sample of everything Sentry sends: the shapes are its code's and docs', words and names are invented."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from app.model import Sender
from app.sandbox.sentry.varying import filled, values, wire

INSTALLATION = "b1f0a6de-52c3-4a86-9a0e-3c7d1c1f8e42"
ORGANIZATION = "lanternfish"

_RESOURCES = (
    "installation",
    "issue",
    "error",
    "comment",
    "event_alert",
    "activity_alert",
    "metric_alert",
    "seer",
    "preprod_artifact",
    "tide_report",  # an invented one: a hook that no release of the relay knows
)
_UNSIGNED_SHAPES = ("service_hook", "legacy")  # no resource and no action on these
_NOBODY = {"type": "application", "id": "sentry", "name": "Sentry"}

_Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One kind of hook that can be made as often as wanted.

    ``name`` is ``resource.action`` with ``/variant`` where an action has several shapes; ``legacy`` and
    ``service_hook`` have no resource and no action. ``isoformat``: dates end in ``+00:00`` instead of ``Z``.
    """

    name: str
    resource: str
    action: str
    sender: Sender = "integration"
    installation: str = INSTALLATION
    organization: str = ORGANIZATION
    isoformat: bool = False
    size_bytes: int | None = None
    """The body is stretched to this size exactly; ``None`` leaves it as it is."""
    template: Mapping[str, object] = field(repr=False)

    def body(self, seed: int, *, now: float) -> bytes:
        """The body bytes as Sentry would sign and send them.

        The same ``seed`` and ``now`` (Unix seconds of the sending) give the same bytes; another seed is
        another hook.
        """
        at = values(self.name, seed, now, isoformat=self.isoformat) | {
            "installation": self.installation,
            "organization": self.organization,
        }
        body = filled(self.template, at)
        if self.size_bytes is None:
            return wire(body)
        return _stretched(body, self.size_bytes)


def samples(*, installation: str = INSTALLATION, organization: str = ORGANIZATION) -> tuple[Sample, ...]:
    """One or more samples per resource and action, an unknown resource, a service hook and the legacy plugin.

    ``installation`` is the uuid that the bodies name (hooks of a shared integration are told apart by it),
    ``organization`` the slug in their links.
    """
    return tuple(replace(each, installation=installation, organization=organization) for each in _catalogue())


def sample(name: str, *, installation: str = INSTALLATION, organization: str = ORGANIZATION) -> Sample:
    """The sample of that name. Raises ``KeyError`` if there is none."""
    for each in samples(installation=installation, organization=organization):
        if each.name == name:
            return each
    raise KeyError(name)


def large_error(size_bytes: int, *, installation: str = INSTALLATION, organization: str = ORGANIZATION) -> Sample:
    """An ``error.created`` whose body is exactly ``size_bytes`` long, its weight in frames as in real ones.

    Raises:
        ValueError: the plain sample is larger than that already.
    """
    large = replace(
        sample("error.created", installation=installation, organization=organization), size_bytes=size_bytes
    )
    large.body(0, now=0.0)
    return large


@cache
def _catalogue() -> tuple[Sample, ...]:
    signed = [each for resource in _RESOURCES for each in _of_resource(resource)]
    return (*signed, *(_of_other_sender(name) for name in _UNSIGNED_SHAPES))


def _of_resource(resource: str) -> Iterator[Sample]:
    shape = _read(f"{resource}.json")
    for variant, action in _mapping(shape["actions"]).items():
        each = _mapping(action)
        name = variant.partition("/")[0]
        # The key order is the sender's own (webhook builder of getsentry/sentry).
        body = {
            "action": name,
            "installation": {"uuid": "@installation@"},
            "data": _merged(shape["base"], each["data"]),
            "actor": each.get("actor", _NOBODY),
        }
        yield Sample(
            name=f"{resource}.{variant}",
            resource=resource,
            action=name,
            isoformat=each.get("dates") == "isoformat",
            template=body,
        )


def _of_other_sender(name: str) -> Sample:
    sender: Sender = "legacy" if name == "legacy" else "service_hook"
    return Sample(name=name, resource="", action="", sender=sender, template=_mapping(_read(f"{name}.json")["body"]))


def _stretched(body: object, size_bytes: int) -> bytes:
    """Add frames to the outermost exception, then a last few bytes of ``extra``, up to the size asked for."""
    error = _mapping(_mapping(_mapping(body)["data"])["error"])
    extra = _mapping(error["extra"])
    extra["padding"] = ""
    exception = _mapping(error["exception"])["values"]
    missing = size_bytes - len(wire(body))
    if missing < 0 or not isinstance(exception, list):
        raise ValueError(f"an error.created is at least {size_bytes - missing} bytes long, not {size_bytes}")
    frames = _mapping(_mapping(exception[-1])["stacktrace"])["frames"]
    if isinstance(frames, list):
        frame = frames[-1]
        cost = len(wire(frame)) + 1
        # Frames run from the oldest to the newest: what is added stays behind the one that raised.
        frames[:0] = [frame] * (missing // cost)
    extra["padding"] = "." * (size_bytes - len(wire(body)))
    return wire(body)


def _read(name: str) -> _Json:
    shape = json.loads((files("app.sandbox.sentry") / "samples" / name).read_text("utf-8"))
    return _mapping(_with_parts(shape))


def _with_parts(shape: object) -> object:
    """Put a file of ``samples/parts`` where a string names it."""
    if isinstance(shape, str) and shape.startswith("@part:"):
        return _read(f"parts/{shape.removeprefix('@part:').removesuffix('@')}.json")
    if isinstance(shape, dict):
        return {key: _with_parts(value) for key, value in shape.items()}
    if isinstance(shape, list):
        return [_with_parts(value) for value in shape]
    return shape


def _merged(base: object, patch: object) -> object:
    """``patch`` over ``base``: objects key by key, anything else replaced."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    over = {key: _merged(base[key], value) if key in base else value for key, value in patch.items()}
    return {**base, **over}


def _mapping(shape: object) -> _Json:
    if not isinstance(shape, dict):
        raise TypeError(f"a sample's part should be an object, not {type(shape).__name__}")
    return shape
