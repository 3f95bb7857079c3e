"""Tenants as the rest of the relay sees them: validated, resolved, immutable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.globs import Glob
from app.model import Secret
from app.tenants.privacy import Detail, Privacy


@dataclass(frozen=True, slots=True)
class Match:
    """The ``when`` of a route: every key must match, any value of a key will do (globs allowed)."""

    conditions: Mapping[str, tuple[str, ...]]
    """Key (``resource``, ``action``, ``project``, ``environment``, ``level``, ``issue_type``,
    ``issue_category``, ``rule``, ``tag:NAME``) to wanted values."""
    patterns: Mapping[str, tuple[Glob, ...]] = field(init=False, compare=False, repr=False)
    """The same, compiled."""

    def __post_init__(self) -> None:
        """Compile every condition once, not for every hook."""
        compiled = {key: tuple(map(Glob, wanted)) for key, wanted in self.conditions.items()}
        object.__setattr__(self, "patterns", compiled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What happens to a hook that matches. ``None`` leaves the destination's default in force."""

    when: Match
    index: str | None = None
    sourcetype: str | None = None
    hec_source: str | None = None
    drop: bool = False
    sample: float | None = None
    """The part of the issues whose hooks pass, from 0 to 1; the others are filtered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a destination's certificate is checked, and what the relay shows of itself. Verified by default."""

    verify: bool = True
    ca_file: Secret | None = None
    """The authorities to trust, in PEM form; like the next ones no secret, but a file that is watched like one."""
    server_name: str | None = None
    pin_sha256: frozenset[str] = frozenset()
    """SHA-256 of whole certificates (DER), 64 lower-case hex digits; without ``ca_file`` all that is checked."""
    client_cert: Secret | None = None
    client_key: Secret | None = None

    @property
    def files(self) -> tuple[Secret, ...]:
        """Those that are named."""
        return tuple(file for file in (self.ca_file, self.client_cert, self.client_key) if file is not None)


SHARE = 0.5
"""Of the spool: what a tenant that has others beside it may hold, unless its file says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy between the relay and a destination."""

    url: str
    """Scheme (``http``, ``https``), host and port."""
    credentials: Secret | None = None
    """``USER:PASSWORD``."""
    ca_file: Secret | None = None
    """The authorities to trust for the proxy's own certificate; ``None``: the system's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Indexer acknowledgment: a hec_event is delivered only once Splunk says it is indexed."""

    poll_s: float = 5.0
    """Between two polls. Splunk forgets a channel that was not used for 600 s."""
    expiry_s: float = 300.0
    """What is not confirmed by then is sent again, marked as a possible double."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A Splunk HEC address with its hec_token and defaults."""

    tenant: str
    name: str
    url: str
    """Normalised: scheme, host, port and any prefix path; without ``/services/collector`` and trailing slash."""
    hec_token: Secret | None
    """``None``: the reference cannot be resolved right now; the lane pauses until it can."""
    hec_token_ref: str
    index: str | None = None
    sourcetype: str | None = None
    hec_source: str | None = None
    host: str | None = None
    routes: tuple[Route, ...] = ()
    detail: Detail = "summary"
    privacy: Privacy = field(default_factory=Privacy)
    own_projects: frozenset[str] = frozenset()
    """Slugs or ids of Sentry projects that the relay itself reports to: their hooks are filtered."""
    tls: Tls = field(default_factory=Tls)
    more_urls: tuple[str, ...] = ()
    """Other addresses of the same Splunk, as ``url``; all are used in turn."""
    proxy: Proxy | None = None
    """``None``: it is reached directly, whatever the environment names."""
    ack: Ack | None = None
    """``None``: what Splunk accepts is delivered."""
    heartbeat_s: float | None = None
    """Seconds between two heartbeats of the relay; ``None``: there are none."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address, ``url`` first."""
        return (self.url, *self.more_urls)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that a reference or a file of it gave."""
        proxy = self.proxy or Proxy(url="")
        own = (self.hec_token, proxy.credentials, proxy.ca_file)
        return (*(secret for secret in own if secret is not None), *self.tls.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant of the file, its secrets resolved."""

    name: str
    client_secrets: tuple[Secret, ...] = ()
    installations: frozenset[str] = frozenset()
    shared_references: frozenset[str] = frozenset()
    """References of the shared integration's client secrets, the only ones that verify for ``installations``; empty
    where any shared integration may.
    """
    legacy_keys: tuple[Secret, ...] = ()
    destinations: tuple[Destination, ...] = ()
    destination_names: tuple[str, ...] = ()
    privacy: Privacy = field(default_factory=Privacy)
    """The same that its destinations have."""
    spool_share: float | None = None
    """The part of the spool that it may hold; ``None``: as much as others leave it."""

    def may_be_signed_with(self, reference: str) -> bool:
        """Whether a shared integration's secret of this reference verifies hooks of the tenant's installations."""
        return not self.shared_references or reference in self.shared_references


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One good reading of the tenants file. Replaced as a whole, never changed."""

    tenants: Mapping[str, Tenant]
    by_installation: Mapping[str, Tenant]
    shared_secrets: tuple[Secret, ...] = ()
    unresolved: Sequence[str] = ()
    """What could not be resolved, in words: reference, where it is used, why. Holds no value."""
    warnings: Sequence[str] = ()
    """What is allowed and yet worth a word, such as a plain http URL: tenant, destination, why."""

    def spool_share(self, tenant: str) -> float:
        """The part of the spool that a tenant may hold: what its file says, else half, and all if it is alone."""
        found = self.tenants.get(tenant)
        if found is not None and found.spool_share is not None:
            return found.spool_share
        return SHARE if len(self.tenants) > 1 else 1.0

    def destination(self, tenant: str, name: str) -> Destination | None:
        """The destination of that name, or ``None`` if the file has it no more."""
        found = self.tenants.get(tenant)
        if found is None:
            return None
        return next((each for each in found.destinations if each.name == name), None)
