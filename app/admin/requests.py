"""What a request to the admin API asks for: a search, a page of it, or a change. Pure; everything is bounded here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from app.admin.serialization import moment, shown
from app.errors import AdminRefusal
from app.model import AuditAuthor, Cause, Search, State

CALL_MAX: Final = 500
"""Deliveries that one call shows or changes; one change is one transaction and one entry of the audit."""
LIMIT: Final = 100
"""Deliveries on a page unless the request says."""
ACTOR_MAX: Final = 100
REASON_MAX: Final = 500
NAME_MAX: Final = 200
PER_S_MIN: Final = 0.1
PER_S_MAX: Final = 100_000.0
STARTS_IN_S_MAX: Final = 30 * 86_400.0
_SEQ_MAX: Final = 2**62
_ONCE: Final = frozenset({"tenant", "destination", "since", "until"})
_OFTEN: Final = frozenset({"state", "cause", "id"})
_PAGE: Final = frozenset({"limit", "before"})
_ORDER: Final = frozenset({"seqs", "search", "all", "reason", "dry_run", "per_s", "starts_in_s", "limit", "before"})


class Page(NamedTuple):
    """How much to show, and from where on."""

    limit: int
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """A change that was asked for: the dead letters by number, or those that a search finds."""

    seqs: tuple[int, ...] = ()
    search: Search | None = None
    page: Page
    change: AuditAuthor
    dry_run: bool = False
    per_s: float | None = None
    starts_in_s: float = 0.0


def asked(pairs: Iterable[tuple[str, str]], *, now: float) -> tuple[Search, Page]:
    """The search and the page of a query string.

    Raises:
        Refused: ``bad_query``; a name is unknown or given twice, or a value is none of those it may have.
    """
    given = list(pairs)
    search = search_of([each for each in given if each[0] not in _PAGE], now=now)
    return search, page_of([each for each in given if each[0] in _PAGE])


def page_of(pairs: Iterable[tuple[str, str]]) -> Page:
    """``limit`` and ``before`` of a query string.

    Raises:
        Refused: ``bad_query``; as ``asked``.
    """
    given = _gathered(pairs, once=_PAGE, often=frozenset())
    limit = _whole("limit", given.get("limit", [str(LIMIT)])[0], 1, CALL_MAX)
    before = given.get("before")
    return Page(limit, _whole("before", before[0], 0, _SEQ_MAX) if before else None)


def search_of(pairs: Iterable[tuple[str, str]], *, now: float) -> Search:
    """Which deliveries are meant.

    Raises:
        Refused: ``bad_query``; as ``asked``.
    """
    given = _gathered(pairs, once=_ONCE, often=_OFTEN)
    for name, values in given.items():
        if any(len(each) > NAME_MAX or not each.isprintable() for each in values):
            raise AdminRefusal("bad_query", f"{name} is at most {NAME_MAX} printable characters")
    if len(given.get("id", ())) > CALL_MAX:
        raise AdminRefusal("bad_query", f"id may be given {CALL_MAX} times")
    return Search(
        states=frozenset(State(each) for each in _closed("state", given, State)),
        tenant=given.get("tenant", [None])[0],
        destination=given.get("destination", [None])[0],
        causes=frozenset(Cause(each) for each in _closed("cause", given, Cause)),
        delivery_ids=frozenset(given.get("id", ())),
        received_from=moment(given["since"][0], now=now) if "since" in given else None,
        received_before=moment(given["until"][0], now=now) if "until" in given else None,
    )


def order_of(body: object, *, actor: str, now: float) -> ChangeRequest:
    """The change that a request's JSON body asks for. It concerns dead letters only, whatever its search says.

    Raises:
        Refused: ``bad_change`` or ``bad_query``; something is missing, unknown or out of bounds.
    """
    if not isinstance(body, dict):
        raise AdminRefusal("bad_change", "the body has to be one JSON object")
    unknown = sorted(set(body) - _ORDER)
    if unknown:
        raise AdminRefusal(
            "bad_change", f"{shown(unknown[0])} is not a key here; those are {', '.join(sorted(_ORDER))}"
        )
    seqs, search = _seqs(body.get("seqs")), _search(body, now=now)
    if bool(seqs) == (search is not None):
        raise AdminRefusal("bad_change", "either seqs or search has to say which dead letters are meant")
    rate = body.get("per_s")
    before = body.get("before")
    return ChangeRequest(
        seqs=seqs,
        search=search,
        page=Page(
            int(_number("limit", body.get("limit", CALL_MAX), 1, CALL_MAX, whole=True)),
            None if before is None else int(_number("before", before, 0, _SEQ_MAX, whole=True)),
        ),
        change=change_of(actor, body.get("reason")),
        dry_run=_truth("dry_run", body),
        per_s=None if rate is None else _number("per_s", rate, PER_S_MIN, PER_S_MAX),
        starts_in_s=_number("starts_in_s", body.get("starts_in_s", 0.0), 0.0, STARTS_IN_S_MAX),
    )


def change_of(actor: str, reason: object) -> AuditAuthor:
    """Who and why, as the audit keeps them.

    Raises:
        Refused: ``bad_change``; one is missing, too long, or has control characters.
    """
    if not isinstance(reason, str) or not reason.strip():
        raise AdminRefusal("bad_change", "a change needs a reason: it goes into the audit")
    for name, text, most in (("actor", actor, ACTOR_MAX), ("reason", reason, REASON_MAX)):
        if not text.strip() or len(text) > most or not text.isprintable():
            raise AdminRefusal("bad_change", f"the {name} is one line of 1 to {most} printable characters")
    return AuditAuthor(actor.strip(), reason.strip())


def is_everything(search: Search) -> bool:
    """Whether a search narrows nothing but the state."""
    narrowing = (search.tenant, search.destination, search.received_from, search.received_before)
    return not search.causes and not search.delivery_ids and all(each is None for each in narrowing)


def _gathered(
    pairs: Iterable[tuple[str, str]], *, once: Collection[str], often: Collection[str]
) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in once and name not in often:
            raise AdminRefusal(
                "bad_query", f"{shown(name)} is not known; known are {', '.join(sorted({*once, *often}))}"
            )
        if name in once and name in given:
            raise AdminRefusal("bad_query", f"{name} is given twice")
        given.setdefault(name, []).append(value)
    return given


def _closed(name: str, given: Mapping[str, list[str]], kind: type[State] | type[Cause]) -> list[str]:
    values = given.get(name, [])
    known = [each.value for each in kind]
    wrong = next((each for each in values if each not in known), None)
    if wrong is not None:
        raise AdminRefusal("bad_query", f"{name} is {shown(wrong)}; it is one of {', '.join(known)}")
    return values


def _whole(name: str, text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise AdminRefusal("bad_query", f"{name} is {shown(text)}; it has to be a whole number, {least} to {most}")
    return int(text)


def _seqs(given: object) -> tuple[int, ...]:
    if given is None:
        return ()
    fits = isinstance(given, list) and all(type(each) is int and 0 <= each <= _SEQ_MAX for each in given)
    if not fits or not isinstance(given, list) or not 1 <= len(given) <= CALL_MAX:
        raise AdminRefusal("bad_change", f"seqs is a list of 1 to {CALL_MAX} numbers of deliveries")
    return tuple(dict.fromkeys(given))


def _search(body: Mapping[str, Any], *, now: float) -> Search | None:
    given = body.get("search")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise AdminRefusal("bad_change", "search is an object with the names that a query has")
    pairs: list[tuple[str, str]] = []
    for name, value in given.items():
        values: Sequence[object] = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in values):
            raise AdminRefusal("bad_change", f"search.{shown(name)} is a text or a list of texts")
        pairs += [(name, str(each)) for each in values]
    search = search_of(pairs, now=now)
    if search.states - {State.DEAD}:
        raise AdminRefusal("bad_change", "only dead letters can be changed: leave state out")
    if is_everything(search) and not _truth("all", body):
        raise AdminRefusal("bad_change", 'this search means every dead letter: narrow it, or say "all": true')
    return search


def _truth(name: str, body: Mapping[str, Any]) -> bool:
    given = body.get(name, False)
    if not isinstance(given, bool):
        raise AdminRefusal("bad_change", f"{name} is true or false")
    return given


def _number(name: str, given: object, least: float, most: float, *, whole: bool = False) -> float:
    fits = type(given) is int or (type(given) is float and not whole)
    if not fits or not isinstance(given, int | float) or not least <= given <= most:
        kind = "a whole number" if whole else "a number"
        raise AdminRefusal("bad_change", f"{name} has to be {kind}, {least:g} to {most:g}")
    return given
