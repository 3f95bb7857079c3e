"""Pull requests and changed files, in the shapes that Seer's payloads and activity alerts have for them.

Diffs are source code: the summary names the files and counts the lines, and leaves the lines behind.
"""

from collections.abc import Iterator
from itertools import islice

from app.transform.values import Obj, first, items, number, obj, objects, present, text
from app.transform.views.base import capped

_COUNT_MAX = 20


def pull_requests_of(value: object, trimmed: list[str], section: str) -> list[dict[str, object]]:
    """``[{provider, repo, number, url}]`` from ``pull_requests`` of either shape."""
    found = (_pull_request(entry) for entry in objects(capped(value, _COUNT_MAX, trimmed, section)))
    return [pull_request for pull_request in found if pull_request]


def changes_of(holder: Obj, trimmed: list[str], section: str) -> list[dict[str, object]]:
    """``[{repo, path, type, added, removed, title, branch}]`` from ``code_changes`` or the older ``changes``."""
    found = list(islice(_changes(holder), _COUNT_MAX + 1))
    if len(found) > _COUNT_MAX:
        trimmed.append(section)
    return found[:_COUNT_MAX]


def _changes(holder: Obj) -> Iterator[dict[str, object]]:
    """All changes that say something, in the order in which they stand."""
    new = holder.get("code_changes")
    yield from filter(None, map(_old, objects(holder.get("changes"))))
    for repo, files in obj(new).items():
        yield from filter(None, (_new(repo, file) for file in items(files)))
    yield from filter(None, map(_old, objects(new)))


def _pull_request(value: Obj) -> dict[str, object]:
    inner = obj(value.get("pull_request"))
    return present(
        (
            ("provider", text(value.get("provider"), 64)),
            ("repo", text(value.get("repo_name"))),
            ("number", number(inner.get("pr_number"))),
            ("url", first(inner.get("pr_url"), value.get("url"), chars_max=500)),
        )
    )


def _new(repo: str, value: object) -> dict[str, object]:
    change = obj(value)
    return present(
        (
            ("repo", text(repo)),
            ("path", text(change.get("path"), 300)),
            ("type", text(change.get("type"), 20)),
            ("added", number(change.get("added"))),
            ("removed", number(change.get("removed"))),
        )
    )


def _old(change: Obj) -> dict[str, object]:
    return present(
        (
            ("repo", text(change.get("repo_name"))),
            ("title", text(change.get("title"), 300)),
            ("branch", text(change.get("branch_name"))),
        )
    )
