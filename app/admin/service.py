"""What an operator can look at and change, on any spool: the API and ``relay deliveries`` both come here.

Every answer is the JSON that ``docs/http.md`` shows.
"""

import difflib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, Literal, Protocol, get_args

from app import __version__
from app.admin.directory import destinations_json, tenants_json
from app.admin.refused import Refused, lost, refused_json
from app.admin.requests import CALL_MAX, ChangeRequest, asked, change_of, order_of, page_of
from app.admin.serialization import (
    Json,
    audit_json,
    count_json,
    grouped,
    groups_json,
    iso,
    life_json,
    shown,
    waiting_json,
)
from app.admin.status import status_json
from app.errors import AdminRefusal, RelayError
from app.model import DeliveryRecord, Search, State
from app.spool.interface import Spool
from app.tenants.model import Snapshot
from app.verdict import Situation, Trouble

Action = Literal["redeliver", "discard"]
Pairs = Iterable[tuple[str, str]]

DEAD_LOOKED_AT_MAX: Final = 10_000
"""So many dead letters, the newest, are told apart by cause in the statistics."""


NO_RELAY: Final = "no relay runs on this spool: hooks that come now are lost, and nothing is delivered"


class Tenants(Protocol):
    """The tenants file in force, and why a newer one was refused."""

    @property
    def snapshot(self) -> Snapshot:
        """The tenants in force."""
        ...

    @property
    def problem(self) -> str | None:
        """Why the file as it stands was refused."""
        ...


class Desk(Protocol):
    """Where the command line asks: a spool, or a relay's admin API. Every method may raise ``AdminRefusal``."""

    async def deliveries(self, pairs: Pairs) -> Json:
        """``GET /admin/api/deliveries``."""
        ...

    async def delivery(self, delivery_id: str) -> Json:
        """``GET /admin/api/deliveries/{delivery_id}``."""
        ...

    async def change(self, action: Action, body: object, *, actor: str) -> Json:
        """``POST /admin/api/deliveries/redeliver`` and ``…/discard``."""
        ...

    async def audit(self, pairs: Pairs) -> Json:
        """``GET /admin/api/audit``."""
        ...

    async def stats(self) -> Json:
        """``GET /admin/api/stats``."""
        ...

    async def destinations(self, search: str) -> Json:
        """``GET /admin/api/destinations``."""
        ...

    async def tenants(self, search: str) -> Json:
        """``GET /admin/api/tenants``."""
        ...

    async def refused(self) -> Json:
        """``GET /admin/api/refused``."""
        ...

    async def mark_seen(self, *, actor: str) -> Json:
        """``POST /admin/api/refused/seen``."""
        ...

    async def status(self) -> Json:
        """``GET /admin/api/status``."""
        ...


class DeliveryService:
    """A ``Desk`` straight on a spool. ``clock`` gives Unix seconds, for ages such as ``2h``.

    ``situation`` is asked for the status; without it no relay is running here, and the status says so. ``troubles`` are
    what holds streams up just now, and ``registry`` has the tenants file: without it no relay runs here.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        clock: Callable[[], float],
        situation: Callable[[], Awaitable[Situation]] | None = None,
        troubles: Callable[[], Iterable[Trouble]] = tuple,
        registry: Tenants | None = None,
        refused: Callable[[], Sequence[Refused]] = tuple,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._situation = situation
        self._troubles = troubles
        self._registry = registry
        self._refused = refused
        self._seen_at = 0.0

    async def deliveries(self, pairs: Pairs) -> Json:
        """A page of deliveries, highest number first; ``next`` is where the following page begins."""
        search, page = asked(pairs, now=self._clock())
        lives = await self._find(search, limit=page.limit, before=page.before)
        if not lives:
            self._known(search.tenant)
        return {"deliveries": self._shown(lives), "next": _next(lives, page.limit)}

    async def delivery(self, delivery_id: str) -> Json:
        """One hook's deliveries to all of its destinations, in the order of the destinations' names."""
        if not delivery_id.isascii() or not delivery_id.isalnum():
            raise AdminRefusal("unknown_delivery", f"{shown(delivery_id)} is no delivery id")
        lives = await self._find(Search(delivery_ids=frozenset({delivery_id})), limit=CALL_MAX, before=None)
        if not lives:
            words = f"nothing is known of {shown(delivery_id)}: never accepted here, or forgotten since"
            raise AdminRefusal("unknown_delivery", words)
        ordered = sorted(lives, key=lambda each: (each.stream, each.received_at, each.seq))
        return {"delivery_id": delivery_id, "lives": self._shown(ordered)}

    async def change(self, action: Action, body: object, *, actor: str) -> Json:
        """Redeliver or discard dead letters, at most 500 a call."""
        order = order_of(body, actor=actor, now=self._clock())
        lives = await self._meant(order)
        seqs = sorted(order.seqs or (each.seq for each in lives))
        changed = 0
        if seqs and not order.dry_run:
            changed = await self._changed(action, seqs, order)
        return {
            "action": action,
            "dry_run": order.dry_run,
            "matched": len(lives) if order.dry_run or order.search else len(seqs),
            "changed": changed,
            "next": _next(lives, order.page.limit) if order.search else None,
            "dead": groups_json(grouped(lives)),
            "delivery_ids": list(dict.fromkeys(each.delivery_id for each in lives)),
        }

    async def audit(self, pairs: Pairs) -> Json:
        """A page of the audit, newest first."""
        page = page_of(pairs)
        entries = await self._spool.audit(limit=page.limit, before=page.before)
        is_full = len(entries) == page.limit
        return {"entries": [audit_json(each) for each in entries], "next": entries[-1].number if is_full else None}

    async def stats(self) -> Json:
        """The books of every stream, and the dead letters by cause and who must act."""
        stats = await self._spool.stats()
        dead, looked_at = await self._dead()
        return {
            "streams": [count_json(each) for each in sorted(stats.streams, key=lambda each: each.stream)],
            "dead": groups_json(dead),
            "dead_looked_at": looked_at,
            "hooks": stats.hooks,
            "payload_bytes": stats.payload_bytes,
            "dead_bytes": stats.dead_bytes,
            "history": stats.history,
            "oldest_waiting_at": iso(stats.oldest_waiting_at),
            "oldest_dead_at": iso(stats.oldest_dead_at),
        }

    async def status(self) -> Json:
        """The verdict, and what to do."""
        if self._situation is None:
            raise AdminRefusal("spool_unavailable", NO_RELAY)
        now = self._clock()
        refused = lost(self._refused(), now=now, seen_at=self._seen_at)
        return status_json(replace(await self._situation(), refused=refused), version=__version__)

    async def destinations(self, search: str) -> Json:
        """Every destination of the tenants file, and how it goes; those in trouble first."""
        registry = self._running()
        return destinations_json(registry.snapshot, await self._spool.stats(), self._troubles(), search=search)

    async def tenants(self, search: str) -> Json:
        """The tenants in force; secrets by reference."""
        registry = self._running()
        return tenants_json(registry.snapshot, await self._spool.stats(), problem=registry.problem, search=search)

    async def refused(self) -> Json:
        """What was refused since the start, by kind, with samples."""
        self._running()
        return refused_json(self._refused(), seen_at=self._seen_at)

    async def mark_seen(self, *, actor: str) -> Json:
        """Somebody has looked at what was refused so far: the verdict counts it no more. Nothing is forgotten."""
        self._running()
        change_of(actor, "seen")
        self._seen_at = self._clock()
        return refused_json(self._refused(), seen_at=self._seen_at)

    def _running(self) -> "Tenants":
        if self._registry is None:
            raise AdminRefusal("spool_unavailable", NO_RELAY)
        return self._registry

    def _shown(self, lives: Iterable[DeliveryRecord]) -> list[Json]:
        """Lives as the API shows them, each with what holds it up."""
        troubles = {trouble.stream: trouble for trouble in self._troubles()}
        return [life_json(life) | waiting_json(life, troubles) for life in lives]

    def _known(self, tenant: str | None) -> None:
        """Nothing was found of this tenant: is there one?"""
        names = self._registry.snapshot.tenants if self._registry is not None else ()
        if tenant and names and tenant not in names:
            near = difflib.get_close_matches(tenant, names, n=1)
            nearest = f"; the nearest is {near[0]}" if near else ""
            raise AdminRefusal("bad_query", f"no tenant {shown(tenant)}{nearest}")

    async def _changed(self, action: Action, seqs: Sequence[int], order: ChangeRequest) -> int:
        if action == "discard":
            return await self._spool.discard(seqs, change=order.change)
        return await self._spool.redeliver(seqs, change=order.change, per_s=order.per_s, starts_in_s=order.starts_in_s)

    async def _meant(self, order: ChangeRequest) -> Sequence[DeliveryRecord]:
        """The dead letters that an order is about, as far as they have to be looked at."""
        if order.search is None:
            return await self._numbered(order.seqs) if order.dry_run else ()
        dead = replace(order.search, states=frozenset({State.DEAD}))
        return await self._find(dead, limit=order.page.limit, before=order.page.before)

    async def _numbered(self, seqs: Sequence[int]) -> list[DeliveryRecord]:
        """Those of ``seqs`` that are dead letters now."""
        search = Search(states=frozenset({State.DEAD}))
        found = [await self._find(search, limit=1, before=seq + 1) for seq in seqs]
        return [life for seq, lives in zip(seqs, found, strict=True) for life in lives if life.seq == seq]

    async def _dead(self) -> tuple[Counter[tuple[str, str, str, str]], int]:
        groups: Counter[tuple[str, str, str, str]] = Counter()
        before, looked_at = None, 0
        while looked_at < DEAD_LOOKED_AT_MAX:
            lives = await self._find(Search(states=frozenset({State.DEAD})), limit=CALL_MAX, before=before)
            groups.update(grouped(lives))
            looked_at += len(lives)
            if len(lives) < CALL_MAX:
                break
            before = lives[-1].seq
        return groups, looked_at

    async def _find(self, search: Search, *, limit: int, before: int | None) -> Sequence[DeliveryRecord]:
        return await self._spool.find(search, limit=limit, before=before)


def action_of(text: str) -> Action | None:
    """The action of that name."""
    return next((each for each in get_args(Action) if each == text), None)


def _next(lives: Sequence[DeliveryRecord], limit: int) -> int | None:
    """Where the following page begins, if there may be one."""
    return lives[-1].seq if len(lives) == limit else None


def spool_refused(fault: RelayError | OSError) -> AdminRefusal:
    """What the spool could not do just now, as a refusal. The words hold no secret."""
    words = str(fault) if isinstance(fault, RelayError) else fault.strerror or "the spool cannot be used"
    return AdminRefusal("spool_unavailable", words)
