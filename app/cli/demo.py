"""``relay demo``: the whole road on this machine, with stand-ins at both ends."""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
import uvloop

from app import logs
from app.main import Relay, create_app, server_limits_of
from app.sandbox.sentry import Sample, StandInSentry, hook_request, samples
from app.sandbox.splunk import HecToken, Indexed, StandInSplunk
from app.server.listener import Door, Listener
from app.settings import load_settings

PATIENCE_S = 20.0
_SECRETS = {
    "DEMO_ACME_SENTRY_SECRET": "demo-acme-client-secret",
    "DEMO_SHARED_SENTRY_SECRET": "demo-shared-client-secret",
    "DEMO_LEGACY_KEY": "demo-legacy-key-of-no-worth",
    "DEMO_ACME_HEC_TOKEN": "demo-acme-hec-token",
    "DEMO_GLOBEX_HEC_TOKEN": "demo-globex-hec-token",
}
"""Made up, good for nothing but this demo, and set in its own process only."""
_GLOBEX_INSTALLATION = "5b7d1f3e-90aa-4a5f-8c21-3f6f0d1e7a42"
_TENANTS = """\
tenants:
  acme:                                   # an internal integration: its own client secret
    sentry:
      client_secrets: [env:DEMO_ACME_SENTRY_SECRET]
      legacy_keys: [env:DEMO_LEGACY_KEY]
    splunk:
      - name: main
        url: {splunk}
        hec_token: env:DEMO_ACME_HEC_TOKEN
        index: sentry
        routes:
          - when: {{level: [fatal]}}
            index: sentry_prod
  globex:                                 # one of the tenants of a shared, public integration
    sentry:
      installations: [{installation}]
    splunk:
      - name: main
        url: {splunk}
        hec_token: env:DEMO_GLOBEX_HEC_TOKEN
        index: globex_sentry
shared_integrations:
  - client_secrets: [env:DEMO_SHARED_SENTRY_SECRET]
"""


@click.command("demo")
@click.option("--keep", type=click.Path(path_type=Path), help="Put spool and tenants file here, and leave them.")
def demo_command(keep: Path | None) -> None:
    """Run the whole road on this machine: a stand-in Splunk, the relay, and samples of every resource.

    Each sample is signed and posted as Sentry would, and shown as it lands in Splunk. Exit status 0 only if
    everything that was accepted was delivered.
    """
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        sys.exit(uvloop.run(Demo(keep).run()))
    with tempfile.TemporaryDirectory(prefix="relay-demo-") as folder:
        sys.exit(uvloop.run(Demo(Path(folder)).run()))


@dataclass
class _Counts:
    accepted: set[str] = field(default_factory=set)
    refused: int = 0
    landed: Counter[str] = field(default_factory=Counter)


class Demo:
    """One run of the demo in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts = _Counts()

    async def run(self) -> int:
        """The exit status."""
        os.environ.update(_SECRETS)
        tokens = [HecToken(value) for name, value in _SECRETS.items() if name.endswith("HEC_TOKEN")]
        async with StandInSplunk(tokens) as splunk:
            splunk.on_indexed = self._show
            relay, server, serving = await self._serve(splunk.url)
            port = await server.port
            click.echo(f"stand-in Splunk on {splunk.url}, relay on http://127.0.0.1:{port}\n")
            click.echo(_row("tenant", "resource", "sourcetype", "index", "delivery_id"))
            await self._send(f"http://127.0.0.1:{port}/sentry")
            delivered = await self._wait(splunk)
            waiting = await self._books(relay)
            server.should_exit = True
            await serving
        return self._sum_up(delivered, waiting)

    async def _serve(self, splunk: str) -> tuple[Relay, Listener, asyncio.Task[None]]:
        tenants = self._folder / "tenants.yaml"
        tenants.write_text(_TENANTS.format(splunk=splunk, installation=_GLOBEX_INSTALLATION), encoding="utf-8")
        settings = load_settings(
            {
                "RELAY_TENANTS_FILE": str(tenants),
                "RELAY_SPOOL_URL": f"sqlite:///{self._folder / 'spool.db'}",
                "RELAY_LINGER_S": "0.05",
            }
        )
        logs.configure("json", "error", sys.stderr.buffer)
        relay = create_app(settings)
        limits = server_limits_of(settings)
        door = Door(application=relay, host="127.0.0.1", port=0, limits=limits, setting="")
        server = Listener(door, refused=relay.refused)
        serving = asyncio.create_task(server.serve())
        try:
            await server.port
        except asyncio.CancelledError:
            raise click.ClickException(f"the relay did not start: {relay.fault}") from None
        return relay, server, serving

    async def _send(self, base: str) -> None:
        """Every sample to acme's own door, the integration's also to the shared one for globex."""
        sentry = StandInSentry()
        for number, sample in enumerate(samples()):
            door = f"{base}/acme"
            if sample.sender == "legacy":
                door += f"/legacy/{_SECRETS['DEMO_LEGACY_KEY']}"
            await self._post(sentry, door, sample, _SECRETS["DEMO_ACME_SENTRY_SECRET"], seed=number)
        for number, sample in enumerate(samples(installation=_GLOBEX_INSTALLATION)):
            if sample.sender == "integration":
                await self._post(sentry, base, sample, _SECRETS["DEMO_SHARED_SENTRY_SECRET"], seed=1000 + number)

    async def _post(self, sentry: StandInSentry, url: str, sample: Sample, secret: str, *, seed: int) -> None:
        answer = await sentry.post(url, hook_request(sample, secret.encode(), seed=seed, now=time.time()))
        if answer.status == 202:  # noqa: PLR2004 - HTTP's own number
            self._counts.accepted.add(answer.body.decode().split('"')[3])
        else:
            self._counts.refused += 1
            click.echo(f"{sample.name}: not accepted, {answer.status} {answer.body[:80]!r} {answer.fault or ''}")

    def _show(self, landed: Indexed) -> None:
        event = landed.event if isinstance(landed.event, dict) else {}
        delivery_id = str(landed.fields.get("relay_delivery_id"))
        self._counts.landed[delivery_id] += 1
        words = (event.get("tenant"), event.get("resource"), landed.sourcetype, landed.index, delivery_id)
        click.echo(_row(*(str(each) for each in words)))

    async def _wait(self, splunk: StandInSplunk) -> int:
        try:
            await splunk.wait_for(len(self._counts.accepted), timeout_s=PATIENCE_S)
        except TimeoutError as error:
            click.echo(f"not everything landed within {PATIENCE_S:g} s: {error}")
        return len(self._counts.accepted & set(self._counts.landed))

    async def _books(self, relay: Relay) -> str:
        """What the relay itself says once it has settled what Splunk took."""
        words = ""
        for _ in range(100):
            if relay.health is None:
                break
            words = (await relay.health.readiness()).parts["spool"].words[0]
            if words.startswith("0 deliveries waiting"):
                break
            await asyncio.sleep(0.05)
        return words

    def _sum_up(self, delivered: int, spool: str) -> int:
        counts = self._counts
        twice = sum(count - 1 for count in counts.landed.values())
        click.echo(
            f"\naccepted {len(counts.accepted)}, delivered {delivered}, twice {twice}, refused {counts.refused}; "
            f"spool: {spool}"
        )
        good = delivered == len(counts.accepted) > 0 and not counts.refused and spool.startswith("0 deliveries waiting")
        click.echo("all that was accepted was delivered" if good else "something is missing")
        return 0 if good else 1


def _row(*cells: str) -> str:
    widths = (8, 18, 24, 14, 32)
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
