"""What ``relay deliveries`` prints, made of the admin API's JSON. Pure; no line of a table is over 120 columns."""

import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from app.admin.narrative import act_of, last_answer, story
from app.admin.serialization import Json, life_of
from app.model import DeliveryRecord, State

WIDTH: Final = 120
_NAME_MAX: Final = 44
_STREAM_MAX: Final = 30
_BOOKS: Final = ("accepted", "delivered", "filtered", "discarded", "adopted", "waiting", "dead")
_SIGNS: Final = ("=", "+", "+", "+", "+", "+")
_NO_CAUSE: Final = "no cause"


def listed(deliveries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Two lines a delivery: when, whose, why, who must act, how often tried; and below it id and last answer."""
    if not deliveries:
        return
    rows = [_row(each, life_of(each)) for each in deliveries]
    yield from _table(
        [["RECEIVED (UTC)", "FOR", "CAUSE OR STATE", "WHO MUST ACT", "ATTEMPTS"], *(row for row, _ in rows)],
        under=[(), *([below] for _, below in rows)],
    )


def _row(delivery: Mapping[str, Any], life: DeliveryRecord) -> tuple[list[str], str]:
    when = f"{delivery['received_at'][:19].replace('T', ' ')}"
    why = life.cause.value if life.cause and life.state is State.DEAD else life.state.value
    row = [when, whose(delivery), why, _act(delivery), str(life.attempts)]
    held_up = delivery.get("held_up")
    said = last_answer(life) or (f"{held_up['state']}: {held_up['words']}" if held_up else "")
    return row, f"{life.delivery_id}  {said}".rstrip()


def lived(lives: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each delivery of one hook, as a story."""
    for number, each in enumerate(lives):
        if number:
            yield ""
        life = life_of(each)
        yield f"{life.delivery_id}  {whose(each)}  {life.state.value}"
        for what, words in story(life):
            yield f"  {what:<10}  {words}".rstrip()
        if held_up := each.get("held_up"):
            since = held_up["since"][:19].replace("T", " ")
            yield f"  {held_up['state']:<10}  {whose(each)} since {since} UTC: {held_up['words']}"
            if not act_of(last_answer(life)):
                yield f"  {'to mend':<10}  {held_up['must_act']}; it is tried again by itself"


def groups(dead: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Dead letters by whose, cause and who must act."""
    if dead:
        rows = [[str(each["count"]), whose(each), each["cause"] or _NO_CAUSE, each["must_act"]] for each in dead]
        yield from _table([["DEAD LETTERS", "FOR", "CAUSE", "WHO MUST ACT"], *rows], right={0})


def books(stats: Json) -> Iterator[str]:
    """The books as an equation a stream, the sum of all of them, and whether it holds."""
    streams = stats["streams"]
    total = {name: sum(each[name] for each in streams) for name in _BOOKS}
    rows = [["", *_equation(_BOOKS)]]
    rows += [[whose(each), *_equation([str(each[name]) for name in _BOOKS])] for each in streams]
    rows.append(["all", *_equation([str(total[name]) for name in _BOOKS])])
    yield from _table(rows, right=range(1, len(rows[0])), gap=1, most=_STREAM_MAX)
    wrong = [whose(each) for each in streams if not each["adds_up"]]
    yield f"does not add up: {', '.join(wrong)}; please report it" if wrong else "adds up"
    yield ""
    yield from groups(stats["dead"])
    if stats["dead_looked_at"] < total["dead"]:
        yield f"(only the newest {stats['dead_looked_at']} of {total['dead']} were told apart)"
    dead = f"dead letters: {total['dead']}, {stats['dead_bytes']} payload bytes"
    yield dead + _since(stats["oldest_dead_at"])
    stored = f"hooks stored: {stats['hooks']}, {stats['payload_bytes']} payload bytes"
    yield stored + _since(stats["oldest_waiting_at"], " waiting")
    yield f"ended deliveries that can still be shown: {stats['history']}"


def audited(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Two lines an entry: when, what, how many, by whom; and below it why, and which."""
    rows = [["", "AT (UTC)", "ACTION", "DELIVERIES", "BY"]]
    under: list[list[str]] = [[]]
    for each in entries:
        when = each["at"][:19].replace("T", " ")
        rows.append([str(each["number"]), when, each["action"], str(each["count"]), each["actor"]])
        under.append([*textwrap.wrap(each["reason"], WIDTH - 4), *_ids(each["delivery_ids"])])
    if under[1:]:
        yield from _table(rows, under=under, right={0, 3})


def wrapped(text: str) -> list[str]:
    """A sentence in lines that leave room for an indent."""
    return textwrap.wrap(text, WIDTH - 4)


def whose(of: Mapping[str, Any]) -> str:
    """Tenant and destination."""
    return f"{of['tenant']}/{of['destination']}" if of["tenant"] else "(parked)"


def safe(line: str) -> str:
    """A line that a terminal takes for nothing but text: what Sentry's unsigned headers said may be in it."""
    return "".join(each if each.isprintable() else "?" for each in line)


def counted(count: int, noun: str) -> str:
    """``1 dead letter``, ``2 dead letters``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _act(delivery: Mapping[str, Any]) -> str:
    return "" if delivery["must_act"] == "nobody" else str(delivery["must_act"])


def _ids(delivery_ids: Sequence[str]) -> list[str]:
    more = f" and {len(delivery_ids) - 1} more" if len(delivery_ids) > 1 else ""
    return [f"{delivery_ids[0]}{more}"] if delivery_ids else []


def _since(at: str | None, what: str = "") -> str:
    return f", the oldest{what} since {at[:19].replace('T', ' ')} UTC" if at else ""


def _equation(terms: Sequence[str]) -> list[str]:
    """The terms with their signs between them, a cell each."""
    cells = [terms[0]]
    for sign, term in zip(_SIGNS, terms[1:], strict=True):
        cells += [sign, term]
    return cells


def _table(
    rows: Sequence[Sequence[str]],
    *,
    under: Sequence[Sequence[str]] = (),
    right: Collection[int] = (),
    gap: int = 2,
    most: int = _NAME_MAX,
) -> Iterator[str]:
    """Rows in columns as wide as their widest cell, each with its lines under it."""
    cut = [[_cut(cell, most) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cut, strict=True)]
    for number, row in enumerate(cut):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield _cut((" " * gap).join(cells).rstrip(), WIDTH)
        for line in under[number] if under else ():
            yield _cut(f"    {line}", WIDTH)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
