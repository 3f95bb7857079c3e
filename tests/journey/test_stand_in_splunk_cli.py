"""``relay splunk``: the stand-in as a process of its own."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from app.cli.splunk import splunk_command

EVENT = "/services/collector/event"
START = "from app.cli.splunk import splunk_command; splunk_command()"


@asynccontextmanager
async def running(*options: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The process and the address it listens on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, "--port", "0", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            first = (await process.stdout.readline()).decode()
        assert first.startswith("stand-in Splunk listens on http://127.0.0.1:")
        yield first.split()[-1], process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def stopped(process: asyncio.subprocess.Process, how: signal.Signals) -> list[str]:
    """The remaining lines, once the signal has ended it with status 0."""
    process.send_signal(how)
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().splitlines()


async def test_it_serves_says_so_in_words_and_stops(tmp_path: Path) -> None:
    """[stand-in] One line a request; faults from a file; SIGTERM ends it with status 0."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("script:\n  - busy: {after: 1}\nalways:\n  - code: 26\n    token: other\n")
    options = ["--token", "web-team-token:web,main", "--token", "other", "--faults", str(faults), "--show"]
    async with running(*options) as (url, process), httpx.AsyncClient(base_url=url) as client:
        good, other = {"Authorization": "Splunk web-team-token"}, {"Authorization": "Splunk other"}
        two = b'{"event":"a","host":"h"}{"event":"b","index":"secret"}'
        statuses = [
            (await client.post(EVENT, content=body, headers=headers)).status_code
            for body, headers in [(two, good), (two, good), (b"", good), (two, other), (two, {})]
        ]
        lines = await stopped(process, signal.SIGTERM)

    assert statuses == [503, 400, 400, 429, 401]
    shown = (
        '{"index": "web", "time": null, "host": "h", "source": null, "sourcetype": null, "fields": {}, "event": "a"}'
    )
    by, batch = f"POST {EVENT}  hec_token web-…", "2 objects in 54 bytes"
    assert lines == [
        shown,
        f"    0  {by}, {batch}: answered 503, code 9 Server is busy, number 1, 1 indexed  [fault: busy(number=1)]",
        shown,
        f"    1  {by}, {batch}: answered 400, code 7 Incorrect index, number 2, 1 indexed",
        f"    2  {by}: answered 400, code 5 No data",
        lines[5],
        f"    4  POST {EVENT}: answered 401, code 2 Token is required",
        "stopped after 5 requests, 2 hec_events indexed",
    ]
    assert lines[5].startswith(f"    3  POST {EVENT}  hec_token other, {batch}: answered 429, code 26 HEC queue")
    assert lines[5].endswith("0 indexed  [fault: code(hec_code=26)]")


async def test_an_interrupt_stops_it_too() -> None:
    """[stand-in] SIGINT, with a connection still open."""
    async with running("--ack", "--cloud", "--indexers", "2") as (url, process), httpx.AsyncClient() as client:
        answer = await client.post(url + EVENT, content=b'{"event":"a"}', headers={"Authorization": "Splunk stand-in"})
        lines = await stopped(process, signal.SIGINT)

    assert answer.json()["code"] == 28
    assert lines[-1] == "stopped after 1 request, 0 hec_events indexed"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--token", "two words"], "printable ASCII"),
        (["--token", ":main"], "printable ASCII"),
        (["--token", ","], "printable ASCII"),
        (["--token", "a:web", "--token", "a:db"], "given twice"),
        (["--ack-delay-s", "nan"], "not a number of seconds"),
        (["--idle-close-s", "inf"], "not a number of seconds"),
        (["--index", "web,db"], "once for each"),
        (["--index", ""], "once for each"),
        (["--sticky-cookie", ""], "cannot be a cookie's name"),
        (["--sticky-cookie", "a;b"], "cannot be a cookie's name"),
        (["--host", ""], "say 0.0.0.0"),
        (["--faults", "{file}"], "script[0]: needs exactly one fault"),
        (["--tls-cert", "{file}"], "cannot be used"),
        (["--tls-key", "{file}"], "--tls-key goes with --tls-cert"),
        (["--host", "203.0.113.1"], "cannot listen on 203.0.113.1"),
    ],
)
def test_a_wrong_option_is_told_before_anything_listens(options: list[str], words: str, tmp_path: Path) -> None:
    """[stand-in] In words, with a status that is not 0."""
    file = tmp_path / "file.yaml"
    file.write_text("- bussy")
    result = CliRunner().invoke(splunk_command, [each.format(file=file) for each in options])

    assert result.exit_code != 0
    assert words in " ".join(result.output.split())
