"""The shape of the tenants file. Every key of it is a field here, and no other key is taken."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from app.spool.keys import DESTINATIONS_MAX
from app.tenants.file import rules
from app.tenants.file.faults import Fault, Where
from app.tenants.file.nearest import unknown_key

Name = Annotated[str, AfterValidator(rules.name)]
Reference = Annotated[str, AfterValidator(rules.reference)]
References = tuple[Reference, ...]
Index = Annotated[str, AfterValidator(rules.index)]
Sourcetype = Annotated[str, AfterValidator(rules.sourcetype)]
Line = Annotated[str, AfterValidator(rules.text_line)]
Wanted = Annotated[tuple[Line, ...], BeforeValidator(rules.listed), Field(min_length=1)]
Detail = Annotated[str, AfterValidator(rules.detail)]
Policy = Annotated[str, AfterValidator(rules.policy)]
Path = Annotated[str, AfterValidator(rules.path)]
Pattern = Annotated[str, AfterValidator(rules.pattern)]


Url = Annotated[str, AfterValidator(rules.hec_url)]


class Entry(BaseModel):
    """A mapping of the file: unknown keys refused, immutable, silent about its values."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True)


class WhenEntry(Entry):
    """``when`` of a route: all keys must match, any value of a key will do. Globs are allowed."""

    resource: Wanted | None = None
    action: Wanted | None = None
    project: Wanted | None = None
    environment: Wanted | None = None
    issue_type: Wanted | None = None
    issue_category: Wanted | None = None
    level: Wanted | None = None
    rule: Wanted | None = None
    tag: dict[Line, Wanted] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(values for _, values in self):
            raise ValueError("names no condition; what holds for every hook stands in the destination itself")
        return self


class RouteEntry(Entry):
    """One of ``routes``: the first that matches wins."""

    when: WhenEntry
    index: Index | None = None
    sourcetype: Sourcetype | None = None
    hec_source: Line | None = None
    drop: bool = False
    sample: Annotated[float, AfterValidator(rules.part)] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if self.drop and (self.index or self.sourcetype or self.hec_source or self.sample):
            raise ValueError("drops what it matches, so its other keys have nothing to hold for")
        return self


class TlsEntry(Entry):
    """How the certificate of a destination is checked."""

    verify: bool = True
    ca_file: Line | None = None
    server_name: Annotated[str, AfterValidator(rules.server_name)] | None = None
    pin_sha256: tuple[Annotated[str, AfterValidator(rules.fingerprint)], ...] = ()
    client_cert: Line | None = None
    client_key: Line | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if not self.verify and (self.ca_file or self.server_name or self.pin_sha256):
            raise ValueError("verify is off, so ca_file, server_name and pin_sha256 have nothing to hold for")
        if (self.client_cert is None) != (self.client_key is None):
            raise ValueError("client_cert and client_key go together")
        return self


class ProxyEntry(Entry):
    """The proxy that a destination is reached by; one text is its url."""

    url: Annotated[str, AfterValidator(rules.proxy_url)]
    credentials: Reference | None = None
    ca_file: Line | None = None

    @model_validator(mode="before")
    @classmethod
    def _url_alone(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if self.ca_file is not None and self.url.startswith("http://"):
            raise ValueError("its url begins with http://, so ca_file has nothing to hold for")
        return self


class SplunkEntry(Entry):
    """One destination of a tenant."""

    name: Name
    url: Url = ""
    hec_token: Reference
    index: Index | None = None
    sourcetype: Sourcetype | None = None
    hec_source: Line | None = None
    host: Line | None = None
    detail: Detail | None = None
    routes: tuple[RouteEntry, ...] = ()
    tls: TlsEntry | None = None
    urls: tuple[Url, ...] = ()
    proxy: ProxyEntry | None = None
    heartbeat: Annotated[float | None, BeforeValidator(rules.heartbeat)] = None
    ack: bool = False
    ack_poll_s: Annotated[float, AfterValidator(rules.ack_poll_s)] = 5.0
    ack_expiry_s: Annotated[float, AfterValidator(rules.ack_expiry_s)] = 300.0

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every url, once."""
        return tuple(dict.fromkeys((*((self.url,) if self.url else ()), *self.urls)))

    @model_validator(mode="after")
    def _somewhere_to_go(self) -> Self:
        if not self.addresses:
            raise ValueError("has no url")
        if len({each.partition(":")[0] for each in self.addresses}) > 1:
            raise ValueError("all of its urls must begin alike, with https:// or with http://")
        if self.tls is not None and self.addresses[0].startswith("http://"):
            raise ValueError("the url begins with http://, so tls has nothing to hold for")
        return self


class SentryEntry(Entry):
    """Who may send for a tenant. Any of the secrets verifies, so that they can be rotated."""

    client_secrets: References = ()
    installations: tuple[Annotated[str, AfterValidator(rules.installation)], ...] = ()
    shared_integration: Name | None = None
    legacy_keys: References = ()
    own_projects: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _somebody_may_send(self) -> Self:
        if not (self.client_secrets or self.installations or self.legacy_keys):
            raise ValueError("nobody could send: name client_secrets, installations or legacy_keys")
        if self.shared_integration is not None and not self.installations:
            raise ValueError("has no installations, so shared_integration has nothing to hold for")
        return self


class PrivacyEntry(Entry):
    """What is taken out of a tenant's hec_events besides credentials."""

    email: Policy = "drop"
    ip: Policy = "drop"
    name: Policy | None = None
    hash_key: Reference | None = None
    drop_paths: Annotated[tuple[Path, ...], Field(max_length=100)] = ()
    mask: Annotated[tuple[Pattern, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _a_key_to_hash_with(self) -> Self:
        hashes = "hash" in (self.email, self.ip, self.name)
        if hashes and self.hash_key is None:
            raise ValueError("hashes addresses, so it needs a hash_key")
        if self.hash_key is not None and not hashes:
            raise ValueError("hashes neither email nor ip nor name, so hash_key has nothing to hold for")
        return self


class AllowEntry(Entry):
    """What a tenant's destinations and routes may name. A list that is absent allows everything."""

    index: tuple[Line, ...] | None = None
    sourcetype: tuple[Line, ...] | None = None
    hec_source: tuple[Line, ...] | None = None


class TenantEntry(Entry):
    """One tenant."""

    sentry: SentryEntry
    splunk: Annotated[tuple[SplunkEntry, ...], Field(min_length=1, max_length=DESTINATIONS_MAX)]
    detail: Detail = "summary"
    privacy: PrivacyEntry = PrivacyEntry()
    allow: AllowEntry = AllowEntry()
    spool_share: Annotated[float, AfterValidator(rules.share)] | None = None


class SharedEntry(Entry):
    """One integration whose client secret is the same for many tenants; ``installations`` tell them apart."""

    client_secrets: Annotated[References, Field(min_length=1)]
    name: Name | None = None


class TenantsEntry(Entry):
    """The whole file."""

    tenants: Annotated[dict[Name, TenantEntry], Field(min_length=1)]
    shared_integrations: tuple[SharedEntry, ...] = ()


_WORDS: Final = {
    "missing": "is missing",
    "string_type": "must be text",
    "tuple_type": "must be a list, such as [one, two]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "too_short": "must have at least one entry",
    "too_long": "has more than {max_length} entries",
}


def faults_of(error: ValidationError) -> list[Fault]:
    """Every fault in words, without a value of the file."""
    # A list that has entries is called too short when one of them is wrong; that is told already.
    return [
        _fault(each) for each in error.errors(include_url=False) if each["type"] != "too_short" or not each["input"]
    ]


def _fault(error: ErrorDetails) -> Fault:
    where: Where = tuple(step for step in error["loc"] if step != "[key]")
    kind = error["type"]
    if kind == "value_error":
        return Fault(where, str(error["ctx"]["error"]))
    if kind == "extra_forbidden":
        return Fault(where, unknown_key(TenantsEntry, where))
    if error["input"] is None and kind != "missing":
        return Fault(where, "stands there without a value")
    return Fault(where, _WORDS.get(kind, f"is not right ({kind})").format_map(error.get("ctx", {})))
