"""What stands around a trial's relays and outlives them: Splunks, spool, ports, and wires where one is to be cut."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.torture.choices import REPLICAS, Choices, End, Engine, Trouble
from tests.torture.database import Database
from tests.torture.doubles import Span
from tests.torture.ports import number, reserved_port
from tests.torture.relay import RelayProcess
from tests.torture.shim import Shim, build
from tests.torture.site import PostgresSite, Site, SqliteSite, schema_of
from tests.torture.weather import Station
from tests.torture.wire import Wire
from tests.torture.world import SPLUNKS, WAYS, World

Reached = Callable[[End, int], bool]
"""That replica has come to that point; whether something was done about it."""


class Stage:
    """Everything for one trial, in its ``folder``."""

    def __init__(
        self, choices: Choices, world: World, folder: Path, *, database: Database | None, reached: Reached
    ) -> None:
        self._choices = choices
        self._world = world
        self._folder = folder
        self.roles = REPLICAS[: choices.replicas]
        self.stations = {name: Station(world.hec_tokens(name)) for name in SPLUNKS}
        self.site = self._build_site(database, reached)
        self.splunk_wires: dict[str, Wire] = {}
        self.sentry_wires: list[Wire] = []
        self._reserved = [reserved_port() for _ in self.roles]
        troubles = {life.trouble for life in choices.lives}
        if Trouble.CUT_SPLUNK in troubles:
            self.splunk_wires = {name: Wire(partial(_dial, each.port)) for name, each in self.stations.items()}
        if Trouble.CUT_SENTRY in troubles:
            self.sentry_wires = [Wire(partial(_dial, number(each))) for each in self._reserved]

    async def open(self) -> None:
        """All of it."""
        await self.site.open()
        for wire in self._wires:
            await wire.open()
        for station in self.stations.values():
            await station.open()

    async def close(self) -> None:
        """For good."""
        for wire in self._wires:
            await wire.close()
        await self.site.close()
        for station in self.stations.values():
            await station.close()
        for reserved in self._reserved:
            reserved.close()

    @property
    def addresses(self) -> list[str]:
        """Where hooks are taken."""
        ways = [wire.url for wire in self.sentry_wires] or [f"http://127.0.0.1:{each}" for each in self.ports]
        return [way for way, role in zip(ways, self.roles, strict=True) if role != "deliver"]

    @property
    def ports(self) -> list[int]:
        """Of the relays themselves."""
        return [number(each) for each in self._reserved]

    def cuts(self) -> dict[str, list[Span]]:
        """When each stream's way to its Splunk was cut."""
        found = {}
        for way in WAYS:
            wire = self.splunk_wires.get(way.splunk)
            found[str(way.stream)] = [*self.stations[way.splunk].cuts, *(wire.cuts if wire else ())]
        return found

    def write_tenants(self, *, late: bool) -> None:
        """In one step, as whoever edits it under a running relay should."""
        urls = {name: self.splunk_wires.get(name, station).url for name, station in self.stations.items()}
        fresh = self._folder / "tenants.new"
        fresh.write_text(self._world.tenants_file(urls, late=late), "utf-8")
        fresh.replace(self._folder / "tenants.yaml")

    def relays(
        self, settings: dict[str, str], on_event: Callable[[int, str], None], *, record: Path | None
    ) -> list[RelayProcess]:
        """One a replica, none of them begun."""
        library = build(self._folder)
        relays = []
        for replica, role in enumerate(self.roles):
            name = "relay" if len(self.roles) == 1 else f"relay-{replica}-{role}"
            folder = self._folder / name
            folder.mkdir()
            own = {
                **settings,
                **self.site.settings,
                **self._world.environ,
                "RELAY_PORT": str(self.ports[replica]),
                "RELAY_TENANTS_FILE": str(self._folder / "tenants.yaml"),
                "RELAY_SPOOL_URL": self.site.url(replica),
            }
            shim = Shim(library, folder, spool=self.site.spool_path(), record=record)
            told = partial(on_event, replica)
            relays.append(RelayProcess(self._folder, own, told, shim=shim, name=name, role=role))
        return relays

    @property
    def _wires(self) -> list[Wire]:
        return [*self.splunk_wires.values(), *self.sentry_wires]

    def _build_site(self, database: Database | None, reached: Reached) -> Site:
        if self._choices.engine is Engine.SQLITE:
            return SqliteSite(self._folder)
        assert database is not None, "a trial on PostgreSQL needs one"
        schema = schema_of(self._choices.seed)
        return PostgresSite(database, schema, self._choices.replicas, lambda replica, end: reached(end, replica))


async def _dial(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)
