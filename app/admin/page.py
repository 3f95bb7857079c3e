"""``/admin``: dead letters by tenant and cause for a person with a browser, to read only. Pure.

No script, no style, nothing from elsewhere: what cannot be in a page cannot be misused there.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
_BOOKS: Final = ("accepted", "delivered", "filtered", "discarded", "adopted", "waiting", "dead")


def page(stats: Mapping[str, Any]) -> str:
    """The page for what ``GET /admin/api/stats`` answers."""
    dead = [[each["count"], _whose(each), each["cause"], each["must_act"]] for each in stats["dead"]]
    books = [[_whose(each), *(each[name] for name in _BOOKS), _holds(each)] for each in stats["streams"]]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>relay</title></head><body>',
        "<h1>Dead letters</h1>",
        *(_table(["", "for", "cause", "who must act"], dead) if dead else ["<p>None.</p>"]),
        "<p><code>relay deliveries</code> lists each, says what became of it, and redelivers or discards it.</p>",
        "<h1>Books</h1>",
        "<p>accepted = delivered + filtered + discarded + adopted + waiting + dead</p>",
        *_table(["", *_BOOKS, ""], books),
        "</body></html>",
    ]
    return "\n".join(parts)


def _whose(of: Mapping[str, Any]) -> str:
    return f"{of['tenant']}/{of['destination']}" if of["tenant"] else "(parked)"


def _holds(of: Mapping[str, Any]) -> str:
    return "adds up" if of["adds_up"] else "does not add up"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return ["<table>", _row("th", head), *(_row("td", row) for row in rows), "</table>"]


def _row(kind: str, cells: Iterable[object]) -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(str(each))}</{kind}>" for each in cells) + "</tr>"
