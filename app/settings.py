"""Every knob once: its unit in the name, its bounds, its default, its sentence.

A setting is the environment variable ``RELAY_`` + the field's name in capitals. Nothing else is read: no
file, no command line. ``docs/settings.md`` shows the same as a table, and a test holds the two together.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.addresses import PORT_MAX, checked_address, checked_networks
from app.errors import ConfigError
from app.spool.engines import check_url

PREFIX: Final = "RELAY_"
FOR_TESTS: Final = "RELAY_TEST_"
"""Variables that speak to the project's tests and not to the relay."""
ACTOR: Final = "RELAY_ACTOR"
"""Who changes deliveries by hand, for the audit: read by commands, no setting of the relay."""

_SERVICE_LINK: Final = re.compile(r"RELAY_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))")
_FROM_KUBERNETES: Final = (
    "was set by Kubernetes for a Service called 'relay'; "
    "set enableServiceLinks: false in the pod, or name the Service otherwise"
)


_NO_LINE: Final = "has white space at an end, or an unprintable character in it: were Windows line ends left in a file?"


def _is_line(text: str) -> bool:
    return text.isprintable() and text == text.strip()


def _spool_url(url: SecretStr) -> SecretStr:
    """Refuse what no engine answers to. The message never holds the URL: it may hold a password."""
    check_url(url.get_secret_value())
    return url


def _reference(text: str) -> str:
    """Refuse what is no reference. The message never holds it: it may be the secret itself."""
    kind, _, name = text.partition(":")
    if text and (kind not in {"env", "file"} or not name):
        raise ValueError("must be a reference, env:NAME or file:PATH, never the admin token itself")
    return text


def _lower(text: object) -> object:
    return text.lower() if isinstance(text, str) else text


class Settings(BaseSettings):
    """What the relay was told by its environment. Immutable; ``load_settings`` makes it.

    ``_s`` is seconds, ``_bytes`` bytes, and a plural noun counts that noun.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load_settings`` was given: not the process's environment behind its back, and no files."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    # Listening and logs

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Addresses or names to listen on, separated by commas: `0.0.0.0,::` is every interface of both "
        "families. The container sets 0.0.0.0.",
    )
    port: int = Field(8080, ge=0, le=PORT_MAX, description="TCP port to listen on; 0 lets the system choose one.")
    tenants_file: Path = Field(
        Path("tenants.yaml"), description="The tenants file: who may send, and which Splunk it goes to."
    )
    spool_url: Annotated[SecretStr, AfterValidator(_spool_url)] = Field(
        SecretStr("sqlite:///./var/spool.db"),
        description="Where accepted hooks are kept until delivered: `sqlite:///PATH` on a local disk, or "
        "`postgresql://…` for several replicas.",
    )
    spool_unsynced: Annotated[Literal["refuse", "allow"], BeforeValidator(_lower)] = Field(
        "refuse",
        description="What to do with a PostgreSQL that runs with fsync, full_page_writes or synchronous_commit off.",
    )
    log_format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = Field(
        "json", description="One JSON object a line, or colours for a person at a terminal."
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="The least severe log line that is written."
    )

    metrics_delays: Annotated[Literal["together", "by_destination"], BeforeValidator(_lower)] = Field(
        "together",
        description="Whether `relay_delivery_delay_seconds` (17 lines) is told once, or for each destination.",
    )

    # The admin API

    admin_socket: str = Field(
        "",
        max_length=4_000,
        description="Unix socket of the admin API for operators on this host, who need no token; empty: beside a "
        "SQLite spool, none with PostgreSQL; `off`: none.",
    )
    admin_token: Annotated[str, AfterValidator(_reference)] = Field(
        "",
        repr=False,
        description="Reference of the admin token, `env:NAME` or `file:PATH`; without one there is no admin API.",
    )
    admin_address: Annotated[str, AfterValidator(checked_address)] = Field(
        "",
        description="`HOST:PORT` of the admin API, if it is not to be where hooks come in.",
    )

    # Accepting

    connections_max: int = Field(
        1_000,
        ge=1,
        le=100_000,
        description="Connections held at the same time. One more closes the one that has waited longest without a "
        "request, first of those that have delivered nothing yet; they have three quarters of the places at most.",
    )
    keepalive_s: float = Field(
        75,
        ge=1,
        le=3_600,
        description="An idle connection is closed after this; longer than the proxy keeps its own.",
    )
    head_bytes_max: int = Field(
        32_768,
        ge=1_024,
        le=1_048_576,
        description="Largest head of a request (request line and headers), and largest trailers; beyond, 431.",
    )
    head_deadline_s: float = Field(30, ge=0.1, le=300, description="Time a head may take to arrive.")
    body_bytes_max: int = Field(
        10_000_000,
        ge=1_000,
        le=100_000_000,
        description="Largest body that is accepted; a larger one gets a 413.",
    )
    body_start_s: float = Field(
        1, ge=0.1, le=300, description="Time from the end of a head to the first byte of its body."
    )
    body_deadline_s: float = Field(
        10, ge=0.1, le=300, description="Time a body may take to arrive (Sentry itself gives up after 5 s)."
    )
    bodies_bytes_max: int = Field(
        128_000_000,
        ge=1_000,
        le=100_000_000_000,
        description="Bytes of all bodies in progress together, counted as they come. Beyond, the one that has been "
        "coming longest gets `not_stored`, first of those who have delivered nothing yet; they have half at most.",
    )
    trusted_proxies: Annotated[str, AfterValidator(checked_networks)] = Field(
        "",
        description="Addresses or networks of the proxies before the relay, separated by commas: what they say in "
        "`X-Forwarded-For` is believed.",
    )
    accept_queue_hooks_max: int = Field(
        2_000,
        ge=1,
        le=1_000_000,
        description="Hooks that may wait for the disk at once; more get `not_stored`.",
    )

    # The spool

    spool_bytes_max: int = Field(
        10 * 1024**3, ge=1_000_000, le=10 * 1024**4, description="Payload bytes the spool may hold."
    )
    spool_hooks_max: int = Field(2_000_000, ge=1, le=1_000_000_000, description="Hooks the spool may hold.")
    parked_hooks_max: int = Field(
        50_000,
        ge=1,
        le=1_000_000_000,
        description="Hooks of installations that no tenant claims; beyond (and beyond a tenth of the spool) "
        "the oldest are discarded.",
    )
    parked_bytes_max: int = Field(
        512 * 1024**2, ge=1_000, le=10 * 1024**4, description="The same for their payload bytes."
    )
    dedup_window_s: float = Field(
        86_400,
        ge=1,
        le=30 * 86_400,
        description="How long a hook is remembered, so that a repeat is stored once and equal bytes are marked.",
    )
    dedup_keys_max: int = Field(
        2_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="Idempotency keys and digests of bodies that are remembered, two a hook, of 100 bytes each on the "
        "disk (250 on PostgreSQL); beyond, the oldest are forgotten.",
    )
    waiting_age_max_s: float = Field(
        7 * 86_400, ge=1, le=365 * 86_400, description="A delivery that waits longer becomes a dead letter."
    )
    dead_age_max_s: float = Field(
        30 * 86_400, ge=1, le=3_650 * 86_400, description="A dead letter that is older is discarded."
    )
    dead_bytes_max: int = Field(
        1024**3,
        ge=0,
        le=10 * 1024**4,
        description="Payload bytes of dead letters; beyond, the oldest of those tenants that have most are discarded.",
    )
    history_age_max_s: float = Field(
        86_400,
        ge=0,
        le=365 * 86_400,
        description="How long a delivery can still be shown after its end; 0 keeps no history.",
    )
    history_max: int = Field(
        100_000,
        ge=0,
        le=100_000_000,
        description="Ended deliveries that can still be shown; beyond, the oldest are forgotten.",
    )
    lease_s: float = Field(
        120,
        ge=1,
        le=3_600,
        description="How long a claimed delivery is withheld from others, unless renewed.",
    )
    poll_interval_s: float = Field(
        0.5,
        ge=0.01,
        le=60,
        description="How often the spool is asked for due deliveries when nothing hints at any.",
    )
    drain_delay_s: float = Field(
        2,
        ge=0,
        le=300,
        description="After SIGTERM, time in which readiness is off and hooks are still accepted, "
        "until nobody sends any more.",
    )
    drain_deadline_s: float = Field(
        20,
        ge=0,
        le=600,
        description="After SIGTERM, time for what is under way; the rest stays in the spool.",
    )

    # Batches

    batch_bytes_max: int = Field(
        1_000_000,
        ge=1_000,
        le=1_000_000,
        description="Bytes of one request to Splunk before gzip; Splunk Cloud advises 1 MB at most.",
    )
    batch_hec_events_max: int = Field(500, ge=1, le=5_000, description="hec_events of one request to Splunk.")
    event_bytes_max: int = Field(
        500_000,
        ge=1_000,
        le=1_000_000,
        description="Bytes of one hec_event; a larger one is trimmed from the back.",
    )
    linger_s: float = Field(0.2, ge=0, le=1, description="How long a batch that is not full waits for company.")
    gzip_level: int = Field(1, ge=0, le=9, description="How hard batches are compressed; 0 is not at all.")
    concurrency_max: int = Field(8, ge=1, le=64, description="Requests under way to one destination.")
    in_flight_bytes_max: int = Field(
        64_000_000,
        ge=1_000_000,
        le=10_000_000_000,
        description="Payload bytes claimed at once, over all lanes.",
    )

    # Retrying

    retry_base_s: float = Field(1, ge=0.01, le=60, description="The first retry comes within this time (full jitter).")
    retry_max_s: float = Field(60, ge=0.01, le=3_600, description="No retry is put off for longer, doubling up to it.")
    retry_after_max_s: float = Field(
        300, ge=0, le=3_600, description="The longest `Retry-After` of a Splunk that is obeyed in full."
    )
    pause_probe_max_s: float = Field(
        60, ge=0.01, le=3_600, description="Longest time between two probes of a paused lane."
    )

    # Connections to Splunk

    hec_connect_timeout_s: float = Field(5, ge=0.1, le=60, description="Time to connect to Splunk, TLS included.")
    hec_timeout_s: float = Field(30, ge=0.1, le=600, description="Time for one whole request to Splunk.")
    hec_keepalive_s: float = Field(
        8,
        ge=0,
        le=11,
        description="Idle connections are closed after this; a busy Splunk closes them after 12 s.",
    )
    hec_connection_age_max_s: float = Field(
        180, ge=1, le=3_600, description="Connections are renewed after this, to follow balancers and DNS."
    )

    # Tenants

    tenants_poll_s: float = Field(
        1,
        ge=0.05,
        le=60,
        description="How often the tenants file and the secret files are looked at for a change.",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Refuse settings that are each within bounds and contradict each other."""
        if self.admin_address and not self.admin_token:
            raise ValueError("RELAY_ADMIN_ADDRESS is of no use without RELAY_ADMIN_TOKEN: there is no admin API")
        if self.event_bytes_max > self.batch_bytes_max:
            raise ValueError("RELAY_EVENT_BYTES_MAX must not be more than RELAY_BATCH_BYTES_MAX")
        if self.retry_base_s > self.retry_max_s:
            raise ValueError("RELAY_RETRY_BASE_S must not be more than RELAY_RETRY_MAX_S")
        if self.lease_s <= self.hec_connect_timeout_s + self.hec_timeout_s + self.linger_s:
            raise ValueError(
                "RELAY_LEASE_S must be more than RELAY_HEC_CONNECT_TIMEOUT_S, RELAY_HEC_TIMEOUT_S and "
                "RELAY_LINGER_S together, or a delivery is claimed again during its first attempt"
            )
        return self


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read every ``RELAY_`` variable of ``environ``; an empty one counts as not set.

    Raises:
        ConfigError: one plain line per variable that is unknown, wrong or contradicts another. The value of
            ``RELAY_SPOOL_URL`` is never in it.
    """
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text != ""}
    ours = {name: text for name, text in ours.items() if name != ACTOR and not name.startswith(FOR_TESTS)}
    known = {PREFIX + field.upper(): field for field in Settings.model_fields}
    faults = [_unknown(name, list(known)) for name in sorted(ours) if name not in known]
    # A file of settings with Windows line ends would otherwise name a spool "spool.db\r".
    faults += [f"{name} {_NO_LINE}" for name in sorted(known) if not _is_line(ours.get(name, ""))]
    ours = {name: text for name, text in ours.items() if _is_line(text)}
    try:
        settings = Settings(**{known[name]: text for name, text in ours.items() if name in known})  # type: ignore[arg-type]
    except ValidationError as error:
        faults += [_wrong(each) for each in error.errors(include_url=False)]
        settings = None
    if settings is None or faults:
        raise ConfigError("\n".join(faults)) from None
    return settings


def bounds(field: str) -> str:
    """What a setting may be, in words: ``1 to 64``, ``json or console``; empty where any text will do."""
    about = Settings.model_fields[field]
    least = next((each.ge for each in about.metadata if hasattr(each, "ge")), None)
    most = next((each.le for each in about.metadata if hasattr(each, "le")), None)
    if least is not None and most is not None:
        return f"{least:,} to {most:,}".replace(",", "_")
    return " or ".join(map(str, get_args(about.annotation)))


def _unknown(name: str, known: list[str]) -> str:
    """One line about a variable that no setting has."""
    if _SERVICE_LINK.match(name):
        return f"{name} {_FROM_KUBERNETES}"
    bare = [each.removeprefix(PREFIX) for each in known]  # the prefix that all share makes nothing near
    near = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.55)
    return f"{name} is not a setting; " + (f"the nearest one is {PREFIX}{near[0]}" if near else "see docs/settings.md")


def _wrong(fault: ErrorDetails) -> str:
    """One line about a variable whose value will not do."""
    if not fault["loc"]:
        return str(fault["ctx"]["error"])
    field = str(fault["loc"][0])
    name = PREFIX + field.upper()
    if fault["type"] == "value_error":
        return f"{name} {fault['ctx']['error']}"
    given = str(fault["input"])
    if field == "port" and given.startswith("tcp://"):
        return f"{name} {_FROM_KUBERNETES}"
    annotation = Settings.model_fields[field].annotation
    kind = "a whole number, " if annotation is int else "a number, " if annotation is float else ""
    shown = given if len(given) <= 40 else given[:40] + "…"  # noqa: PLR2004 — a line stays a line
    return f"{name} is {shown!r}; it must be {kind}{bounds(field)}"
