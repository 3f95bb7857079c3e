"""``relay check`` run by a test, and the stand-in Splunk that it asks."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from app.cli.check.command import check_command
from app.sandbox.splunk import HecToken, StandInSplunk

HEC_TOKEN = "hec-token-of-acme"
SECRETS = {
    "SENTRY": "a-secret-of-sentry",
    "SENTRY1": "another-secret-of-sentry",
    "SENTRY2": "a-third-secret-of-sentry",
    "HEC": HEC_TOKEN,
    "WRONG": "hec-token-of-nobody",
}


class Checked(NamedTuple):
    """How a run of the command ended."""

    status: int
    output: str


def tenants_file(folder: Path, **splunks: str) -> Path:
    """A tenants file: a tenant per keyword, whose destination has these further keys (flow style)."""
    lines = ["tenants:"]
    for number, (name, keys) in enumerate(splunks.items()):
        lines += [f"  {name}:", f"    sentry: {{client_secrets: [env:SENTRY{number or ''}]}}"]
        lines += [f"    splunk: [{{name: main, {keys}}}]"]
    path = folder / "tenants.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(path: Path, *arguments: str, **environ: str) -> Checked:
    """Run the command with this tenants file and this environment."""
    env = {name: None for name in os.environ if name.startswith("RELAY_")}
    with_file = {**SECRETS, "RELAY_TENANTS_FILE": str(path), "RELAY_HEC_TIMEOUT_S": "20", **environ}
    result = CliRunner(env={**env, **with_file}).invoke(check_command, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Checked(result.exit_code, result.output)


async def ran(path: Path, *arguments: str, **environ: str) -> Checked:
    """The same beside a server that runs on this loop."""
    return await asyncio.to_thread(run, path, *arguments, **environ)


@asynccontextmanager
async def splunk(tls: ssl.SSLContext | None = None) -> AsyncIterator[StandInSplunk]:
    """A stand-in that knows one hec_token."""
    async with StandInSplunk([HecToken(HEC_TOKEN, indexes=("sentry",))], tls=tls) as stand_in:
        yield stand_in


def steps_of(output: str, name: str) -> list[Any]:
    """The steps of that name in a JSON report."""
    return [step for step in json.loads(output)["steps"] if step["step"] == name]
