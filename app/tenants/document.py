"""The shape of the tenants file. Every key of it is a field here, and no other key is taken."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from app.tenants import rules
from app.tenants.faults import Fault, Where
from app.tenants.nearest import unknown_key

Name = Annotated[str, AfterValidator(rules.name)]
Reference = Annotated[str, AfterValidator(rules.reference)]
References = tuple[Reference, ...]
Index = Annotated[str, AfterValidator(rules.index)]
Sourcetype = Annotated[str, AfterValidator(rules.sourcetype)]
Line = Annotated[str, AfterValidator(rules.text_line)]
Wanted = Annotated[tuple[Line, ...], Field(min_length=1)]


class Entry(BaseModel):
    """A mapping of the file: unknown keys refused, immutable, silent about its values."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True)


class WhenEntry(Entry):
    """``when`` of a route: all keys must match, any value of a key will do. Globs are allowed."""

    resource: Wanted | None = None
    action: Wanted | None = None
    project: Wanted | None = None
    environment: Wanted | None = None
    level: Wanted | None = None
    rule: Wanted | None = None

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

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if self.drop and (self.index or self.sourcetype or self.hec_source):
            raise ValueError("drops what it matches, so index, sourcetype and hec_source have nothing to hold for")
        return self


class TlsEntry(Entry):
    """How the certificate of a destination is checked."""

    verify: bool = True
    ca_file: Line | None = None
    server_name: Annotated[str, AfterValidator(rules.server_name)] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if not self.verify and (self.ca_file or self.server_name):
            raise ValueError("verify is off, so ca_file and server_name have nothing to hold for")
        return self


class SplunkEntry(Entry):
    """One destination of a tenant."""

    name: Name
    url: Annotated[str, AfterValidator(rules.hec_url)]
    hec_token: Reference
    index: Index | None = None
    sourcetype: Sourcetype | None = None
    hec_source: Line | None = None
    host: Line | None = None
    routes: tuple[RouteEntry, ...] = ()
    tls: TlsEntry | None = None

    @model_validator(mode="after")
    def _tls_where_there_is_some(self) -> Self:
        if self.tls is not None and self.url.startswith("http://"):
            raise ValueError("the url begins with http://, so tls has nothing to hold for")
        return self


class SentryEntry(Entry):
    """Who may send for a tenant. Any of the secrets verifies, so that they can be rotated."""

    client_secrets: References = ()
    installations: tuple[Annotated[str, AfterValidator(rules.installation)], ...] = ()
    legacy_keys: References = ()

    @model_validator(mode="after")
    def _somebody_may_send(self) -> Self:
        if not (self.client_secrets or self.installations or self.legacy_keys):
            raise ValueError("nobody could send: name client_secrets, installations or legacy_keys")
        return self


class TenantEntry(Entry):
    """One tenant."""

    sentry: SentryEntry
    splunk: Annotated[tuple[SplunkEntry, ...], Field(min_length=1)]


class SharedEntry(Entry):
    """One integration whose client secret is the same for many tenants; ``installations`` tell them apart."""

    client_secrets: Annotated[References, Field(min_length=1)]


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
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "too_short": "must have at least one entry",
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
    return Fault(where, _WORDS.get(kind, f"is not right ({kind})"))
