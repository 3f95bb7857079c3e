"""Every metric, declared once. ``docs/metrics.md`` lists them; a test holds the two together.

Counts of deliveries come from the spool's books at the moment of the scrape, out of one read: they survive a
restart and they always add up: ``accepted = delivered + filtered + discarded + adopted + waiting + dead``.
Labels are bounded: tenants and destinations by the tenants file, everything else by closed sets.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.core import Metric

from app.errors import IngestRefusal
from app.model import Sender, SpoolLimits, SpoolStats, Stream

disable_created_metrics()  # type: ignore[no-untyped-call] # a line more a counter that nobody reads

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)
_STREAM = ("tenant", "destination")
SLICE_LINES = 2_000
"""Lines of the books that are written at once."""
Delays = Literal["together", "by_destination"]
"""Whether ``relay_delivery_delay_seconds``, 17 lines, is told once or for each destination."""
_BOOKS = {
    "accepted": "Deliveries stored for this destination since the spool exists.",
    "delivered": "Deliveries that Splunk said it took.",
    "filtered": "Deliveries that a route of the tenants file drops.",
    "discarded": "Dead letters that an operator or a budget removed.",
    "adopted": "Parked deliveries that a tenant has claimed since; they are counted as accepted there again.",
}
_STATES = {
    "waiting": 'Deliveries on the disk that Splunk has not got yet (tenant "": parked, no tenant claims them).',
    "dead": "Dead letters: deliveries that need a person.",
}


def refusals(root: type[IngestRefusal]) -> Iterator[type[IngestRefusal]]:
    """Every kind of refusal below ``root``."""
    for each in root.__subclasses__():
        yield each
        yield from refusals(each)


class Metrics:
    """The metrics of one relay, in a registry of their own."""

    def __init__(self, version: str, *, delays: Delays = "together") -> None:
        self._delays_by_stream = delays == "by_destination"
        self.registry = CollectorRegistry()
        self._hooks = Counter(
            "relay_hooks_accepted", "Hooks answered 202 and stored.", ["tenant"], registry=self.registry
        )
        self._repeats = Counter(
            "relay_hooks_repeated",
            "Hooks answered 202 that were stored before.",
            ["tenant"],
            registry=self.registry,
        )
        self._same_body = Counter(
            "relay_hooks_same_body",
            "Hooks stored although a hook with the very same bytes was stored before: one like it, or a replay.",
            ["tenant", "sender"],
            registry=self.registry,
        )
        self._children: dict[tuple[str, bool], Counter] = {}
        """The label look-up of the library costs more than the count, and this is paid by every hook."""
        self._refusals = Counter(
            "relay_requests_refused", "Requests refused, by code word.", ["code"], registry=self.registry
        )
        self._admin_refusals = Counter(
            "relay_admin_refused", "Requests to the admin API refused, by code word.", ["code"], registry=self.registry
        )
        self._accept_seconds = Histogram(
            "relay_accept_duration_seconds",
            "From the first look at a request to its 202; Sentry waits one second.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._declare_posts()
        self._declare_delivery()
        self._declare_ways()
        self._declare_limits()
        self._tenants = Gauge("relay_tenants", "Tenants in force.", registry=self.registry)
        self._tenants_refused = Gauge(
            "relay_tenants_file_refused",
            "1 while the tenants file's present version is refused and the one before it serves on.",
            registry=self.registry,
        )
        self._secrets_unresolved = Gauge(
            "relay_secrets_unresolved",
            "References of the tenants file that do not resolve now; their last good values serve on.",
            registry=self.registry,
        )
        # All are there from the start, so that a first one shows as an increase.
        self._refusal_children = {kind.code: self._refusals.labels(kind.code) for kind in refusals(IngestRefusal)}
        Gauge("relay_build_info", "Always 1; the version is the label.", ["version"], registry=self.registry).labels(
            version
        ).set(1)

    def _declare_posts(self) -> None:
        self._attempts = Counter(
            "relay_attempts",
            "Posts to Splunk, by how they ended and by HEC's own code.",
            [*_STREAM, "outcome", "hec_code"],
            registry=self.registry,
        )
        self._attempt_seconds = Histogram(
            "relay_attempt_duration_seconds",
            "How long one post to Splunk took.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_hec_events = Histogram(
            "relay_batch_hec_events",
            "hec_events in one post.",
            buckets=(1, 5, 20, 50, 100, 200, 500),
            registry=self.registry,
        )
        self._batch_bytes = Histogram(
            "relay_batch_size_bytes",
            "Bytes of one post, before gzip.",
            buckets=(1e3, 1e4, 5e4, 1e5, 2.5e5, 5e5, 1e6),
            registry=self.registry,
        )

    def _declare_delivery(self) -> None:
        self._delays = Histogram(
            "relay_delivery_delay_seconds",
            "From the receipt of a hook to Splunk's answer.",
            _STREAM,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._resends = Counter(
            "relay_hec_events_resent",
            "hec_events to be posted again; ambiguous: Splunk may have had them already.",
            [*_STREAM, "fault"],
            registry=self.registry,
        )
        self._burials = Counter(
            "relay_deliveries_buried",
            "Deliveries that became dead letters, by cause.",
            [*_STREAM, "cause"],
            registry=self.registry,
        )
        self._paused = Gauge(
            "relay_lane_paused",
            "1 while a lane, hec_token or destination pauses.",
            [*_STREAM, "scope"],
            registry=self.registry,
        )
        self._awaiting = Gauge(
            "relay_hec_events_unconfirmed",
            "hec_events that Splunk accepted and has not yet said to be indexed (where acknowledgment is asked for).",
            _STREAM,
            registry=self.registry,
        )
        self._acks = Counter(
            "relay_hec_events_acknowledged",
            "hec_events that wait for their acknowledgment no longer, by how that ended.",
            [*_STREAM, "ack"],
            registry=self.registry,
        )
        self._spool_faults = Counter(
            "relay_spool_faults", "Times that delivering could not use the spool.", ["doing"], registry=self.registry
        )

    def _declare_ways(self) -> None:
        self._left_out = Gauge(
            "relay_addresses_left_out",
            "Addresses of a destination with several that are left out because they fail.",
            _STREAM,
            registry=self.registry,
        )
        self._unverified = Gauge(
            "relay_destination_tls_unverified",
            "1 for a destination whose certificate is not checked.",
            _STREAM,
            registry=self.registry,
        )

    def _declare_limits(self) -> None:
        self._limits = {
            name: Gauge(f"relay_spool_{name}_limit", words, registry=self.registry)
            for name, words in (
                ("hooks", "Hooks the spool may hold."),
                ("payload_bytes", "Payload bytes the spool may hold."),
                ("dead_bytes", "Payload bytes of dead letters the spool may hold."),
                ("oldest_dead_seconds", "Age at which a dead letter is discarded."),
                ("dedup_keys", "Idempotency keys and digests of bytes that may be remembered."),
            )
        }

    def accepted(self, tenant: str, *, fresh: bool, seconds: float) -> None:
        """One hook was answered 202."""
        child = self._children.get((tenant, fresh))
        if child is None:
            child = self._children[tenant, fresh] = (self._hooks if fresh else self._repeats).labels(tenant)
        child.inc()
        self._accept_seconds.observe(seconds)

    def same_body(self, tenant: str, *, sender: Sender) -> None:
        """A hook was stored that has the very same bytes as an earlier one."""
        self._same_body.labels(tenant, sender).inc()

    def refused(self, code: str) -> None:
        """One request was refused."""
        self._refusal_children[code].inc()

    def admin_refused(self, code: str) -> None:
        """One request to the admin API was refused."""
        self._admin_refusals.labels(code).inc()

    def attempted(
        self,
        stream: Stream,
        *,
        outcome: str,
        hec_code: str,
        hec_events: int,
        body_bytes: int,
        seconds: float,
    ) -> None:
        """One post to Splunk ended."""
        self._attempts.labels(*stream, outcome, hec_code).inc()
        self._attempt_seconds.observe(seconds)
        self._batch_hec_events.observe(hec_events)
        self._batch_bytes.observe(body_bytes)

    def delivered(self, stream: Stream, *, delays_s: Sequence[float]) -> None:
        """So many deliveries are delivered; the count itself is in the spool's books."""
        child = self._delays.labels(*(stream if self._delays_by_stream else ("", "")))
        for each in delays_s:
            child.observe(each)

    def resent(self, stream: Stream, *, count: int, ambiguous: bool) -> None:
        """So many hec_events will be posted again."""
        self._resends.labels(*stream, "ambiguous" if ambiguous else "clean").inc(count)

    def buried(self, stream: Stream, *, cause: str, count: int) -> None:
        """So many deliveries became dead letters."""
        self._burials.labels(*stream, cause).inc(count)

    def filtered(self, stream: Stream, *, count: int) -> None:
        """Counted in the spool's books."""

    def paused(self, stream: Stream, *, scope: str) -> None:
        """A lane, hec_token or destination paused, or is still paused."""
        self._paused.labels(*stream, scope).set(1)

    def resumed(self, stream: Stream, *, scope: str) -> None:
        """It delivers again."""
        self._paused.labels(*stream, scope).set(0)

    def awaiting(self, stream: Stream, *, count: int) -> None:
        """So many hec_events are accepted by Splunk and not yet told to be indexed."""
        self._awaiting.labels(*stream).set(count)

    def acknowledged(self, stream: Stream, *, ack: str, count: int) -> None:
        """So many wait for their acknowledgment no longer."""
        self._acks.labels(*stream, ack).inc(count)

    def left_out(self, stream: Stream, *, addresses: int) -> None:
        """So many addresses of a destination with several are left out just now."""
        self._left_out.labels(*stream).set(addresses)

    def unverified(self, streams: Sequence[Stream]) -> None:
        """These, and no others, are reached without checking who they are."""
        self._unverified.clear()
        for each in streams:
            self._unverified.labels(*each).set(1)

    def spool_failed(self, *, doing: str) -> None:
        """Delivering could not use the spool just now."""
        self._spool_faults.labels(doing).inc()

    def limits(self, bounds: SpoolLimits) -> None:
        """What the spool may hold."""
        self._limits["hooks"].set(bounds.hooks_max)
        self._limits["payload_bytes"].set(bounds.bytes_max)
        self._limits["dead_bytes"].set(bounds.dead_bytes_max)
        self._limits["oldest_dead_seconds"].set(bounds.dead_age_max_s)
        self._limits["dedup_keys"].set(bounds.dedup_keys_max)

    def tenants(self, *, count: int, refused: bool, unresolved: int) -> None:
        """The tenants in force, as they are at the moment of a scrape."""
        self._tenants.set(count)
        self._tenants_refused.set(refused)
        self._secrets_unresolved.set(unresolved)

    def pieces(self, stats: SpoolStats | None, *, now: float) -> Iterator[bytes]:
        """The page of ``GET /metrics``, in slices of bounded cost, for a thread.

        Without ``stats`` (the spool cannot be read) the part of the books is missing.
        """
        for family in self.registry.collect():
            yield from _written(family)
        if stats is not None:
            yield from books(stats, now=now)

    def page(self, stats: SpoolStats | None, *, now: float) -> bytes:
        """The whole page."""
        return joined(self.pieces(stats, now=now))


def joined(pieces: Iterable[bytes], *, pause_s: float = 0.0) -> bytes:
    """The pieces as one; ``pause_s`` seconds between two let other threads go on."""
    parts = []
    for piece in pieces:
        parts.append(piece)
        if pause_s:
            time.sleep(pause_s)
    return b"".join(parts)


def _written(family: Metric) -> Iterator[bytes]:
    """A family of the library's, as its own ``generate_latest`` writes it, in slices."""
    name = f"{family.name}_total" if family.type == "counter" else family.name
    yield _declared(name, family.type, family.documentation)
    for start in range(0, len(family.samples), SLICE_LINES):
        lines = []
        for sample in family.samples[start : start + SLICE_LINES]:
            labels = ",".join([f'{label}="{_escaped(text)}"' for label, text in sample.labels.items()])
            lines.append(f"{sample.name}{{{labels}}} {sample.value}\n" if labels else f"{sample.name} {sample.value}\n")
        yield "".join(lines).encode()


def books(stats: SpoolStats, *, now: float) -> Iterator[bytes]:
    """The spool's books as metrics, written by hand: the library takes ten times as long for ten thousand streams."""
    labels = [_labels(counts.stream) for counts in stats.streams]
    for names, kind in ((_BOOKS, "counter"), (_STATES, "gauge")):
        for name, words in names.items():
            full = f"relay_deliveries_{name}" + ("_total" if kind == "counter" else "")
            yield _declared(full, kind, words)
            for start in range(0, len(labels), SLICE_LINES):
                part = zip(labels[start : start + SLICE_LINES], stats.streams[start : start + SLICE_LINES], strict=True)
                yield "".join([f"{full}{label} {float(getattr(counts, name))}\n" for label, counts in part]).encode()
    for unit, words in (("hooks", "Hooks stored"), ("payload_bytes", "Payload bytes stored")):
        full = f"relay_spool_tenant_{unit}"
        yield _declared(full, "gauge", f"{words}, by tenant.")
        for start in range(0, len(stats.tenants), SLICE_LINES):
            held = stats.tenants[start : start + SLICE_LINES]
            values = ((tenant, hooks if unit == "hooks" else size) for tenant, hooks, size in held)
            yield "".join([f'{full}{{tenant="{_escaped(name)}"}} {float(value)}\n' for name, value in values]).encode()
    for name, words, value in _of_the_spool(stats, now):
        yield _declared(name, "gauge", words) + f"{name} {float(value)}\n".encode()


def _of_the_spool(stats: SpoolStats, now: float) -> Iterator[tuple[str, str, float]]:
    waiting = stats.oldest_waiting_at
    age = 0.0 if waiting is None else max(0.0, now - waiting)
    yield "relay_spool_oldest_waiting_seconds", "Age of the oldest waiting delivery, parked ones left out.", age
    yield "relay_spool_hooks", "Hooks stored: waiting, parked or dead.", stats.hooks
    yield "relay_spool_payload_bytes", "Payload bytes stored.", stats.payload_bytes
    yield "relay_spool_dead_bytes", "Payload bytes of dead letters.", stats.dead_bytes
    buried = stats.oldest_dead_at
    dead_s = 0.0 if buried is None else max(0.0, now - buried)
    yield "relay_spool_oldest_dead_seconds", "How long the oldest dead letter has been one.", dead_s
    yield "relay_spool_dedup_keys", "Idempotency keys and digests of bytes remembered.", stats.dedup_keys
    yield "relay_spool_history", "Ended deliveries that can still be shown.", stats.history


def _declared(name: str, kind: str, words: str) -> bytes:
    return f"# HELP {name} {words}\n# TYPE {name} {kind}\n".encode()


def _labels(stream: Stream) -> str:
    return f'{{tenant="{_escaped(stream.tenant)}",destination="{_escaped(stream.destination)}"}}'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
