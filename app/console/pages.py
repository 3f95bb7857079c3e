"""One function a page: what it asks of the desk, and what its template gets. No page knows HTTP.

Each gives a template's name and its values; the desk answers what the admin API does, so that every page has its JSON.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.admin.narrative import advice, last_answer, must_act, story
from app.admin.serialization import Json, life_of
from app.admin.service import Desk
from app.errors import AdminRefusal

Query = Sequence[tuple[str, str]]
PAGE_ROWS: Final = 50
"""Rows of a list; the next page is a link."""
OVERVIEW_ROWS: Final = 20
"""Rows of each table on the overview."""
_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "losing": ("bad", "✕"),
    "not delivering": ("bad", "▲"),
    "late": ("warn", "▲"),
    "needs a person": ("warn", "■"),
    "quiet": ("warn", "○"),
    "all right": ("ok", "●"),
    "held": ("warn", "‖"),
    "missing": ("bad", "?"),
    "dead letters": ("warn", "■"),
    "delivers": ("ok", "●"),
    "idle": ("soft", "○"),
    "dead": ("warn", "■"),
    "waiting": ("soft", "○"),
    "parked": ("warn", "◆"),
    "delivered": ("ok", "●"),
    "filtered": ("soft", "○"),
    "discarded": ("soft", "✕"),
}
"""Class and sign of each state: never colour alone."""
FILTERS: Final = ("state", "tenant", "destination", "cause", "since", "until", "id")


@dataclass(frozen=True, slots=True)
class Page:
    """A template and what it shows. ``section`` is the entry of the menu that it belongs to."""

    template: str
    title: str
    section: str
    values: Mapping[str, Any]
    status: int = 200
    api: str = ""
    """The same as JSON: a path below ``/admin/api/``."""
    live: bool = False
    """Whether it keeps itself up to date."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is asked for: the rest of its path, and the query."""

    rest: Sequence[str] = ()
    query: Query = ()
    given: Mapping[str, str] = field(default_factory=dict)
    """The query, one value a name."""


def look(state: str) -> tuple[str, str]:
    """Class and sign of a state."""
    return _LOOKS.get(state, ("bad", "▲"))


async def overview(desk: Desk, _place: Place) -> Page:
    """The verdict, four questions, what to do, destinations, books."""
    status, stats, destinations = await desk.status(), await desk.stats(), await desk.destinations("")
    level, sign = look(status["level"])
    streams = sorted(stats["streams"], key=lambda books: (books["adds_up"], -books["waiting"] - books["dead"]))
    title = status["verdict"] if status["level"] == "all right" else f"{sign} {status['verdict']}"
    values = {
        "status": status,
        "level": level,
        "sign": sign,
        "stats": stats,
        "todo": status["todo"][:OVERVIEW_ROWS],
        "todo_more": len(status["todo"][OVERVIEW_ROWS:]) + status["todo_more"],
        "destinations": destinations["destinations"][:OVERVIEW_ROWS],
        "destinations_more": len(destinations["destinations"][OVERVIEW_ROWS:]) + destinations["more"],
        "streams": streams[:OVERVIEW_ROWS],
        "streams_more": len(streams[OVERVIEW_ROWS:]),
    }
    return Page("overview.html", title, "overview", values, api="status", live=True)


async def dead(desk: Desk, place: Place) -> Page:
    """Dead letters: by group, then one by one."""
    kept = [(name, value) for name, value in _kept(place.query) if name != "state"]
    found = await desk.deliveries([*kept, ("state", "dead"), ("limit", str(PAGE_ROWS)), *_before(place)])
    stats = await desk.stats()
    values = _listed(found, kept) | {"groups": stats["dead"], "looked_at": stats["dead_looked_at"]}
    total = sum(books["dead"] for books in stats["streams"])
    return Page("dead.html", f"{total:,} dead letters", "dead", values | {"total": total}, api="deliveries", live=True)


async def deliveries(desk: Desk, place: Place) -> Page:
    """Deliveries in any state, by what the query says."""
    kept = _kept(place.query)
    found = await desk.deliveries([*kept, ("limit", str(PAGE_ROWS)), *_before(place)])
    return Page("deliveries.html", "Deliveries", "deliveries", _listed(found, kept), api="deliveries", live=True)


async def delivery(desk: Desk, place: Place) -> Page:
    """One hook's deliveries: what became of each, and what can be done."""
    answer = await desk.delivery(place.rest[0])
    lives = [_life(life) for life in answer["lives"]]
    values = {"delivery_id": answer["delivery_id"], "lives": lives}
    title = f"Delivery {answer['delivery_id'][:8]}"
    return Page("delivery.html", title, "deliveries", values, api=f"deliveries/{answer['delivery_id']}", live=True)


async def confirm(desk: Desk, place: Place) -> Page:
    """What would be changed, and the form that changes it. Looking changes nothing."""
    action = place.rest[0]
    body = order_of(place.query) | {"reason": "a look", "dry_run": True}
    answer = await desk.change(action, body, actor="console")  # type: ignore[arg-type]  # the caller's table has the two
    values = {
        "action": action,
        "answer": answer,
        "query": _kept(place.query),
    }
    return Page("confirm.html", f"{action.capitalize()}?", "dead", values)


async def destinations(desk: Desk, place: Place) -> Page:
    """Every destination, those in trouble first."""
    search = place.given.get("search", "")
    found = await desk.destinations(search)
    values = {"rows": found["destinations"], "more": found["more"], "search": search}
    return Page("destinations.html", "Destinations", "destinations", values, api="destinations", live=True)


async def destination(desk: Desk, place: Place) -> Page:
    """One destination: how each of its lanes goes, and what the tenants file says of it."""
    name = "/".join(place.rest)
    found = await desk.destinations(name)
    row = next((row for row in found["destinations"] if f"{row['tenant']}/{row['destination']}" == name), None)
    if row is None:
        raise AdminRefusal("not_found", f"no destination is called {name[:100]}, and nothing waits for one")
    latest = await desk.deliveries(
        [("tenant", row["tenant"]), ("destination", row["destination"]), ("limit", str(OVERVIEW_ROWS))]
    )
    values = {"row": row, "name": name} | _listed(latest, [])
    return Page("destination.html", name, "destinations", values, api="destinations", live=True)


async def tenants(desk: Desk, place: Place) -> Page:
    """The tenants in force, their secrets by reference, and what is wrong with the file."""
    search = place.given.get("search", "")
    found = await desk.tenants(search)
    return Page("tenants.html", "Tenants", "tenants", found | {"search": search}, api="tenants", live=True)


async def refused(desk: Desk, _place: Place) -> Page:
    """Requests that got no 202, by kind: which of them were hooks that nobody sends again."""
    found = await desk.refused()
    return Page("refused.html", "Refused", "refused", found, api="refused", live=True)


async def audit(desk: Desk, place: Place) -> Page:
    """What was changed by hand or by a budget, newest first."""
    found = await desk.audit([("limit", str(PAGE_ROWS)), *_before(place)])
    return Page("audit.html", "Audit", "audit", {"entries": found["entries"], "next": found["next"]}, api="audit")


PAGES: Final[Mapping[str, Callable[[Desk, Place], Awaitable[Page]]]] = {
    "": overview,
    "dead": dead,
    "deliveries": deliveries,
    "destinations": destinations,
    "tenants": tenants,
    "refused": refused,
    "audit": audit,
}
"""Pages by the first part of their path."""


def order_of(query: Query) -> dict[str, Any]:
    """The search of a change, as the admin API takes it; everything only where it says so."""
    search: dict[str, Any] = {}
    for name, value in _kept(query):
        search.setdefault(name, []).append(value)
    search.pop("state", None)
    return {"search": search} | ({} if search else {"all": True})


def _kept(query: Query) -> list[tuple[str, str]]:
    """The filters of a query; empty fields of a form say nothing."""
    return [(name, value.strip()) for name, value in query if name in FILTERS and value.strip()]


def _before(place: Place) -> list[tuple[str, str]]:
    return [("before", place.given["before"])] if place.given.get("before", "").isdigit() else []


def _listed(found: Json, kept: Query) -> dict[str, Any]:
    rows = [row | {"answer": _answer(row), "look": look(row["state"])} for row in found["deliveries"]]
    return {"rows": rows, "next": found["next"], "kept": list(kept), "filters": dict(kept)}


def _answer(row: Json) -> str:
    held_up = row.get("held_up")
    return last_answer(life_of(row)) or (held_up["words"] if held_up else "")


def _life(row: Json) -> dict[str, Any]:
    life = life_of(row)
    return {
        "row": row,
        "look": look(row["state"]),
        "story": [(entry.what, entry.words) for entry in story(life)],
        "advice": advice(life) if row["state"] == "dead" else "",
        "act": must_act(life).value,
        "answer": _answer(row),
    }
