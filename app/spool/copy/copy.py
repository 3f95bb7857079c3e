"""Copying a spool into another, of the same engine or not, while deliveries wait in it and nobody works on it.

Both sides show what they hold as the same rows (``Row``), so that a digest over them says whether the copy is whole.
A copy that was cut off is marked as such: no relay opens it, and the same copy goes on where it ended.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from app.errors import SpoolError
from app.spool.copy.rows import Store, Target, storable_row
from app.spool.engines import check_url, is_shared, path_of


@dataclass(frozen=True, slots=True)
class Digest:
    """What a spool holds, in numbers; ``words`` is over every field of every row."""

    hooks: int
    deliveries: int
    dedup_keys: int
    ended: int
    """Deliveries in the history."""
    audited: int
    """Entries of the audit."""
    words: str
    lost: tuple[str, ...] = field(default=(), compare=False)
    """What could not be read of the source, in words."""

    def __str__(self) -> str:
        """The numbers, in words."""
        return (
            f"{self.hooks} hooks, {self.deliveries} deliveries, {self.dedup_keys} dedup keys, "
            f"{self.ended} in the history, {self.audited} in the audit"
        )


async def copy(source_url: str, target_url: str, *, say: Callable[[str], None] = lambda _words: None) -> Digest:
    """Copy the spool at ``source_url`` into the empty one at ``target_url``, and compare the two.

    Nobody else may have either of them open. The source is left as it is.

    Raises:
        SpoolError: one of them cannot be used, or the two differ in the end; the target is then not usable, and the
            same call goes on with it.
    """
    if source_url == target_url:
        raise SpoolError("source and target are the same spool")
    source = await open_store(source_url)
    try:
        target = await open_target(target_url)
        try:
            return await _copy(source, target, say)
        finally:
            await target.close()
    finally:
        await source.close()


async def _copy(source: Store, target: Target, say: Callable[[str], None]) -> Digest:
    name = await _name(source)
    reached = await target.begin(name)
    if any(reached):
        say(f"going on after hook {reached.hook}")
    copied = 0
    async for hooks in source.hooks(after=reached.hook):
        await target.put_hooks(hooks)
        copied += len(hooks)
        say(f"{copied} hooks copied")
    async for seen in source.seen():
        await target.put_seen(seen)
    copied = 0
    async for ended in source.history(after=reached.history):
        await target.put_history(ended)
        copied += len(ended)
        say(f"{copied} of the history copied")
    async for entries in source.audit(after=reached.audit):
        await target.put_audit(entries)
    await target.put_ledger(await source.ledger())
    say("comparing")
    wanted, found = await digest(source), await digest(target)
    if wanted != found:
        raise SpoolError(
            f"the copy differs: {wanted} in the source; {found} in the target"
            + ("" if wanted.words == found.words else "; their contents differ")
            + ". Is somebody working on the source?"
        )
    await target.finish()
    return replace(found, lost=tuple(source.lost))


async def digest(store: Store) -> Digest:
    """Read all of it."""
    total = blake2b(digest_size=16)
    hooks = deliveries = keys = 0
    async for rows in store.hooks(after=0):
        for row in rows:
            hooks += 1
            deliveries += len(row.deliveries)
            left = [storable_row(each) for each in row.deliveries]
            own = storable_row(row._replace(payload=b"", deliveries=()))
            total.update(repr((own, left, len(row.payload))).encode())
            total.update(row.payload)
    seen = 0
    async for some in store.seen():
        for each in some:
            keys += 1
            one = blake2b(each.dedup_key + repr(each[1:]).encode(), digest_size=16)
            seen ^= int.from_bytes(one.digest(), "big")  # equal times leave their order open
    total.update(seen.to_bytes(16, "big"))
    ended = audited = 0
    async for past in store.history(after=0):
        ended += len(past)
        for end in past:
            total.update(repr(storable_row(end)).encode())
    async for entries in store.audit(after=0):
        audited += len(entries)
        for entry in entries:
            total.update(repr(storable_row(entry)).encode())
    total.update(repr(list(await store.ledger())).encode())
    return Digest(hooks, deliveries, keys, ended, audited, total.hexdigest())


async def _name(source: Store) -> str:
    """What tells this source from another: its first hook, or its books."""
    async for rows in source.hooks(after=0):
        return f"{rows[0].seq}:{rows[0].delivery_id}"
    return "no hooks"


async def open_store(url: str) -> Store:
    """The spool at a URL, for reading; nobody else may have it open.

    Raises:
        SpoolError: there is none, or it is in use.
    """
    _check(url)
    if is_shared(url):
        from app.spool.copy.postgres import PostgresStore  # noqa: PLC0415 - only for whom it is needed

        return await PostgresStore.open(url, make=False)
    from app.spool.copy.sqlite import SqliteStore  # noqa: PLC0415 - as above

    return SqliteStore(path_of(url), make=False)


async def open_target(url: str) -> Target:
    """The spool at a URL, for writing; made if there is none.

    Raises:
        SpoolError: it is in use, or cannot be made.
    """
    _check(url)
    if is_shared(url):
        from app.spool.copy.postgres import PostgresStore  # noqa: PLC0415 - as above

        return await PostgresStore.open(url, make=True)
    from app.spool.copy.sqlite import SqliteStore  # noqa: PLC0415 - as above

    return SqliteStore(path_of(url), make=True)


def _check(url: str) -> None:
    try:
        check_url(url)
    except ValueError as error:
        raise SpoolError(f"a spool's URL {error}") from None
