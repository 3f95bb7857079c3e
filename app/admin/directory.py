"""Tenants and destinations as the API shows them: what the tenants file says, joined with how it goes. Pure.

Secrets appear by reference only.
"""

from collections.abc import Iterable
from typing import Final

from app.admin.serialization import Json, iso
from app.model import SpoolStats, Stream, StreamCounts
from app.tenants.model import Destination, Snapshot, Tenant
from app.verdict import Trouble

SHOWN_MAX: Final = 500
"""Destinations, or tenants, that one answer shows; those in trouble come first."""
_ORDER: Final = ("not delivering", "missing", "held", "dead letters", "delivers", "idle")


def destinations_json(snapshot: Snapshot, stats: SpoolStats, troubles: Iterable[Trouble], *, search: str = "") -> Json:
    """Every destination of the file, and every one that deliveries still wait for; those in trouble first."""
    books = {found.stream: found for found in stats.streams}
    of: dict[Stream, list[Trouble]] = {}
    for trouble in troubles:
        of.setdefault(trouble.stream, []).append(trouble)
    named = {
        Stream(tenant.name, found.name): found for tenant in snapshot.tenants.values() for found in tenant.destinations
    }
    left = {stream for stream, found in books.items() if stream.tenant and (found.waiting or found.dead)}
    streams = [stream for stream in named.keys() | left if search in f"{stream.tenant}/{stream.destination}"]
    rows = [_destination(stream, named.get(stream), books.get(stream), of.get(stream, ())) for stream in streams]
    rows.sort(key=lambda row: (_ORDER.index(row["state"]), -row["waiting"], row["tenant"], row["destination"]))
    return {"destinations": rows[:SHOWN_MAX], "more": max(0, len(rows) - SHOWN_MAX)}


def _destination(
    stream: Stream, entry: Destination | None, books: StreamCounts | None, troubles: Iterable[Trouble]
) -> Json:
    troubles = list(troubles)
    waiting, dead = (books.waiting, books.dead) if books else (0, 0)
    return {
        "tenant": stream.tenant,
        "destination": stream.destination,
        "state": _state(entry, books, troubles),
        "troubles": [
            {
                "words": trouble.words,
                "index": trouble.index,
                "must_act": trouble.act,
                "since": iso(trouble.since),
                "next_in_s": trouble.next_in_s,
                "state": trouble.state,
            }
            for trouble in troubles
        ],
        "waiting": waiting,
        "dead": dead,
        "accepted": books.accepted if books else 0,
        "delivered": books.delivered if books else 0,
        "filtered": books.filtered if books else 0,
        **(_entry(entry) if entry is not None else dict.fromkeys(_ENTRY)),
    }


_ENTRY: Final = ("urls", "index", "sourcetype", "hec_token", "hec_token_resolved", "tls_verified", "ack", "routes")


def _entry(entry: Destination) -> Json:
    """What the tenants file says of a destination."""
    values = (
        list(entry.urls),
        entry.index,
        entry.sourcetype,
        entry.hec_token_ref,
        entry.hec_token is not None,
        entry.tls.verify and entry.url.startswith("https://"),
        entry.ack is not None,
        len(entry.routes),
    )
    return dict(zip(_ENTRY, values, strict=True))


def _state(entry: Destination | None, books: StreamCounts | None, troubles: list[Trouble]) -> str:
    states = {trouble.state for trouble in troubles}
    if "held" in states:
        return "held"
    if entry is None or "missing" in states:
        return "missing"
    if troubles:
        return "not delivering"
    if books is None or not books.accepted:
        return "idle"
    return "dead letters" if books.dead else "delivers"


def tenants_json(snapshot: Snapshot, stats: SpoolStats, *, problem: str | None, search: str = "") -> Json:
    """The tenants in force, by name; why the file as it stands was refused, if it was."""
    counts: dict[str, list[StreamCounts]] = {}
    for books in stats.streams:
        counts.setdefault(books.stream.tenant, []).append(books)
    names = sorted(name for name in snapshot.tenants if search in name)
    return {
        "tenants": [_tenant(snapshot.tenants[name], counts.get(name, ())) for name in names[:SHOWN_MAX]],
        "more": max(0, len(names) - SHOWN_MAX),
        "problem": problem,
        "unresolved": list(snapshot.unresolved),
        "warnings": list(snapshot.warnings),
    }


def _tenant(tenant: Tenant, books: Iterable[StreamCounts]) -> Json:
    books = list(books)
    return {
        "tenant": tenant.name,
        "client_secrets": [secret.name for secret in tenant.client_secrets],
        "legacy_keys": [secret.name for secret in tenant.legacy_keys],
        "installations": sorted(tenant.installations),
        "destinations": list(tenant.destination_names),
        "accepted": sum(found.accepted for found in books),
        "waiting": sum(found.waiting for found in books),
        "dead": sum(found.dead for found in books),
    }
