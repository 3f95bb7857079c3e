"""The tenants of a trial: who sends, where it has to arrive, under which hec_token. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from app.sandbox.sentry import Sample, samples
from app.sandbox.splunk import HecToken


class Stream(NamedTuple):
    """One tenant's deliveries to one of its destinations."""

    tenant: str
    destination: str

    def __str__(self) -> str:
        """As the spool writes it."""
        return f"{self.tenant}/{self.destination}"


@dataclass(frozen=True, slots=True)
class Way:
    """Where a stream ends: which Splunk, which index."""

    stream: Stream
    splunk: str
    index: str
    dropped: str = ""
    """A resource that a route drops."""


@dataclass(frozen=True, slots=True)
class Door:
    """A way in. ``samples`` are what is posted there."""

    tenant: str
    path: str
    secret: str
    samples: tuple[Sample, ...]


WAYS = (
    Way(Stream("acme", "main"), "west", "sentry"),
    Way(Stream("acme", "audit"), "east", "audit"),
    Way(Stream("globex", "main"), "west", "globex", dropped="comment"),
    Way(Stream("initech", "main"), "east", "initech"),
    Way(Stream("hooli", "main"), "west", "hooli"),
)
SPLUNKS = ("west", "east")
LATE = "hooli"
"""Its hooks are parked until the tenants file names its installation."""
_INSTALLATIONS = {"globex": "5b7d1f3e-90aa-4a5f-8c21-3f6f0d1e7a42", "hooli": "0c9c2b8e-1d44-4f0e-b1c5-77ad2f9b6e10"}


class World:
    """The world of one trial. Its secrets are its own, so that no other trial's relay takes its hooks."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.streams = {self.hec_token(way.stream): way.stream for way in WAYS}
        self.ways = {way.stream: way for way in WAYS}
        self.doors = self._doors()

    @property
    def environ(self) -> dict[str, str]:
        """What the references of the tenants file stand for."""
        tokens = {f"TORTURE_{_name(way.stream)}": self.hec_token(way.stream) for way in WAYS}
        names = ("acme", "initech", "hooli", "shared", "key")
        return tokens | {f"TORTURE_{name.upper()}_SECRET": self._secret(name) for name in names}

    def hec_token(self, stream: Stream) -> str:
        """The value of a stream's hec_token."""
        return f"hec-{self._seed}-{stream.tenant}-{stream.destination}"

    def hec_tokens(self, splunk: str) -> list[HecToken]:
        """The hec_tokens that one of the Splunks knows. Each may write to any index, so that a wrong one succeeds."""
        return [HecToken(self.hec_token(way.stream), default_index=way.index) for way in WAYS if way.splunk == splunk]

    def tenants_file(self, urls: dict[str, str], *, late: bool) -> str:
        """The tenants file; with ``late`` it names the installation of the parked hooks."""
        senders = {
            "acme": "client_secrets: [env:TORTURE_ACME_SECRET], legacy_keys: [env:TORTURE_KEY_SECRET]",
            "initech": "client_secrets: [env:TORTURE_INITECH_SECRET]",
            "globex": f"installations: [{_INSTALLATIONS['globex']}]",
            "hooli": "client_secrets: [env:TORTURE_HOOLI_SECRET]",
        }
        if late:
            senders["hooli"] += f", installations: [{_INSTALLATIONS['hooli']}]"
        lines = ["tenants:"]
        for tenant, sender in senders.items():
            lines += [f"  {tenant}:", f"    sentry: {{{sender}}}", "    splunk:"]
            lines += [line for way in WAYS if way.stream.tenant == tenant for line in _destination(way, urls)]
        lines += ["shared_integrations:", "  - client_secrets: [env:TORTURE_SHARED_SECRET]", ""]
        return "\n".join(lines)

    def owed(self, tenant: str, resource: str) -> tuple[list[Stream], list[Stream]]:
        """Where a hook has to arrive, and where a route drops it."""
        ways = [way for way in WAYS if way.stream.tenant == tenant]
        dropped = [way.stream for way in ways if way.dropped and way.dropped == resource]
        return [way.stream for way in ways if way.stream not in dropped], dropped

    def _doors(self) -> tuple[Door, ...]:
        signed = tuple(each for each in samples() if each.sender == "integration")
        service_hooks = tuple(each for each in samples() if each.sender == "service_hook")
        legacy = tuple(each for each in samples() if each.sender == "legacy")
        shared = self._secret("shared")
        return (
            Door("acme", "/sentry/acme", self._secret("acme"), signed),
            Door("acme", f"/sentry/acme/legacy/{self._secret('key')}", "", legacy),
            Door("initech", "/sentry/initech/", self._secret("initech"), signed + service_hooks),
            Door("globex", "/sentry", shared, _of("globex")),
            Door("hooli", "/sentry", shared, _of("hooli")),
        )

    def _secret(self, name: str) -> str:
        return f"secret-{self._seed}-of-{name}-for-torture"


def _of(tenant: str) -> tuple[Sample, ...]:
    """The samples of an installation of the shared integration."""
    found = samples(installation=_INSTALLATIONS[tenant])
    return tuple(each for each in found if each.sender == "integration")


def _destination(way: Way, urls: dict[str, str]) -> list[str]:
    lines = [
        f"      - name: {way.stream.destination}",
        f"        url: {urls[way.splunk]}",
        f"        hec_token: env:TORTURE_{_name(way.stream)}",
        f"        index: {way.index}",
        "        routes:",
        f"          - {{when: {{resource: [error]}}, index: {way.index}_errors}}",
    ]
    if way.dropped:
        lines.append(f"          - {{when: {{resource: [{way.dropped}]}}, drop: true}}")
    return lines


def _name(stream: Stream) -> str:
    return f"{stream.tenant}_{stream.destination}_HEC_TOKEN".upper()
