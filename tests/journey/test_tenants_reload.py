"""The registry follows real files on a real disk: tenants, secrets, symbolic links."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

from app.errors import ConfigError
from app.tenants.registry import Registry

if TYPE_CHECKING:
    from app.tenants.model import Snapshot

ENVIRON = {"SENTRY": "sentry-secret", "HEC": "hec-token-value"}
POLL_S = 0.01


def text(*names: str, index: str = "sentry", ref: str = "env:SENTRY") -> str:
    """A tenants file with these tenants, whose client secret is ``ref``."""
    lines = ["tenants:"]
    for name in names:
        lines += [
            f"  {name}:",
            f"    sentry: {{client_secrets: [{ref}]}}",
            "    splunk:",
            f"      - {{name: main, url: 'https://splunk.example:8088', hec_token: env:HEC, index: {index}}}",
        ]
    return "\n".join(lines) + "\n"


def written(path: Path, content: str) -> Path:
    """The path, after the content was put there in one step, as editors and tools do."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(content)
    fresh.replace(path)
    return path


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition that has no event of its own."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.005)


@contextmanager
def watching(registry: Registry) -> Iterator[list[Any]]:
    """The registry watches; gives the log lines it writes."""
    structlog.reset_defaults()
    with capture_logs() as lines:
        task = asyncio.get_running_loop().create_task(registry.watch(poll_s=POLL_S))
        try:
            yield lines
            assert not task.done(), task.exception()
        finally:
            task.cancel()


def events(lines: list[Any], name: str) -> list[Any]:
    """The log lines of this name."""
    return [line for line in lines if line["event"] == name]


async def test_a_good_file_replaces_the_old_one_in_one_step(tmp_path: Path) -> None:
    """Whoever holds the old snapshot keeps a whole one; whoever asks gets the new one; callbacks hear of it."""
    path = written(tmp_path / "tenants.yaml", text("acme", "globex"))
    registry = Registry.load(path, environ=ENVIRON)
    old = registry.snapshot
    heard: list[Snapshot] = []
    registry.on_change(heard.append)
    with watching(registry) as lines:
        written(path, text("acme", "initech", "hooli"))
        await until(lambda: bool(heard))
    assert set(old.tenants) == {"acme", "globex"}
    assert set(registry.snapshot.tenants) == {"acme", "initech", "hooli"}
    assert heard == [registry.snapshot]
    (line,) = events(lines, "tenants.reloaded")
    assert {key: line[key] for key in ("tenants", "added", "removed", "changed")} == {
        "tenants": 3,
        "added": 2,
        "removed": 1,
        "changed": 0,
    }


async def test_a_bad_file_is_refused_once_and_the_old_one_serves_on(tmp_path: Path) -> None:
    """One log line per version with every fault, however often it is read; told until a good file comes."""
    written(tmp_path / "secret", "first")
    path = written(tmp_path / "tenants.yaml", text("acme", ref="file:secret"))
    registry = Registry.load(path, environ=ENVIRON)
    with watching(registry) as lines:
        written(path, text("acme", index="_Bad", ref="file:secret"))
        await until(lambda: registry.problem is not None)
        written(tmp_path / "secret", "second")  # the file is read again with it
        await until(lambda: len(events(lines, "secrets.rotated")) == 1)
        assert registry.snapshot.tenants["acme"].destinations[0].index == "sentry"
        assert f"{path}:5:78: tenants.acme.splunk[0].index: must be" in str(registry.problem)
        assert [line["problem"] for line in events(lines, "tenants.refused")] == [registry.problem]

        written(path, text("acme", ref="env:NONE"))
        await until(lambda: len(events(lines, "tenants.refused")) == 2)
        assert "env:NONE does not resolve: the environment has no such variable" in str(registry.problem)

        path.unlink()
        await until(lambda: len(events(lines, "tenants.refused")) == 3)
        assert registry.problem is not None
        assert registry.problem.startswith(f"{path}: it cannot be read: No such file or directory; RELAY_TENANTS_FILE ")

        written(path, text("acme", "globex"))
        await until(lambda: registry.problem is None)
    assert set(registry.snapshot.tenants) == {"acme", "globex"}


async def test_a_file_that_is_still_being_written_is_left_alone(tmp_path: Path) -> None:
    """Half of it may be a good file with half of the tenants."""
    path = written(tmp_path / "tenants.yaml", text("acme", "globex"))
    registry = Registry.load(path, environ=ENVIRON)
    with watching(registry) as lines:
        halves = text("acme", "globex", "initech").splitlines(keepends=True)
        with path.open("w") as file:
            for number in range(40):
                file.write("".join(halves[:5]) if number == 0 else "# writing on\n")
                file.flush()
                await asyncio.sleep(POLL_S / 4)
            file.write("".join(halves[5:]))
        await until(lambda: len(registry.snapshot.tenants) == 3)
    assert [line["removed"] for line in events(lines, "tenants.reloaded")] == [0]


async def test_a_swap_of_symbolic_links_is_seen(tmp_path: Path) -> None:
    """Kubernetes replaces ConfigMaps and Secrets by turning the link ``..data`` to a new folder."""
    for version, names in (("..v1", ["acme"]), ("..v2", ["acme", "globex"])):
        folder = tmp_path / version
        folder.mkdir()
        (folder / "tenants.yaml").write_text(text(*names, ref="file:sentry"))
        (folder / "sentry").write_text(f"secret of {version}\n")
    (tmp_path / "..data").symlink_to("..v1")
    for name in ("tenants.yaml", "sentry"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    registry = Registry.load(tmp_path / "tenants.yaml", environ=ENVIRON)
    assert registry.snapshot.tenants["acme"].client_secrets[0].value == b"secret of ..v1"
    with watching(registry):
        (tmp_path / "..new").symlink_to("..v2")
        (tmp_path / "..new").replace(tmp_path / "..data")
        await until(lambda: len(registry.snapshot.tenants) == 2)
    assert registry.snapshot.tenants["acme"].client_secrets[0].value == b"secret of ..v2"


async def test_a_secret_file_is_followed_and_kept_when_it_vanishes(tmp_path: Path) -> None:
    """New content is taken over; no content leaves the last good value in force, with a warning."""
    path = written(tmp_path / "tenants.yaml", text("acme", ref="file:sentry"))
    secret = written(tmp_path / "sentry", "first\n")
    registry = Registry.load(path, environ=ENVIRON)

    def value() -> bytes:
        return registry.snapshot.tenants["acme"].client_secrets[0].value

    with watching(registry) as lines:
        written(secret, "second\r\n")
        await until(lambda: value() == b"second")
        assert [line["secrets"] for line in events(lines, "secrets.rotated")] == [["file:sentry"]]

        secret.unlink()
        await until(lambda: bool(registry.snapshot.unresolved))
        assert value() == b"second"
        (line,) = events(lines, "secret.unresolved")
        assert line["problem"] == (
            "file:sentry does not resolve: it cannot be read: No such file or directory; "
            "its last good value stays in force"
        )

        written(path, text("acme", "globex", ref="file:sentry"))
        await until(lambda: len(registry.snapshot.tenants) == 2)
        assert value() == b"second"
        assert registry.problem is None

        written(secret, "third")
        await until(lambda: value() == b"third")
        assert not registry.snapshot.unresolved
    assert not any("second" in str(line) or "third" in str(line) for line in lines)


async def test_a_refused_file_is_tried_again_when_its_secret_appears(tmp_path: Path) -> None:
    """The secret may be written after the file that names it; other secrets rotate meanwhile."""
    path = written(tmp_path / "tenants.yaml", text("acme", ref="file:sentry"))
    secret = written(tmp_path / "sentry", "first")
    registry = Registry.load(path, environ=ENVIRON)
    with watching(registry) as lines:
        written(path, text("acme", ref="file:fresh"))
        await until(lambda: registry.problem is not None)
        written(secret, "second")
        await until(lambda: registry.snapshot.tenants["acme"].client_secrets[0].value == b"second")
        assert len(events(lines, "tenants.refused")) == 1
        written(tmp_path / "fresh", "third")
        await until(lambda: registry.problem is None)
    assert registry.snapshot.tenants["acme"].client_secrets[0].value == b"third"


async def test_refreshing_takes_over_a_rotated_secret_at_once(tmp_path: Path) -> None:
    """What is called when a Splunk refuses a hec_token, for one tenant or all."""
    path = written(tmp_path / "tenants.yaml", text("acme", "globex").replace("env:HEC", "file:hec"))
    written(tmp_path / "hec", "first")
    registry = Registry.load(path, environ=ENVIRON)
    heard: list[Snapshot] = []
    registry.on_change(heard.append)
    assert not registry.refresh()
    assert not registry.refresh(tenant="nobody")
    written(tmp_path / "hec", "second")
    assert registry.refresh(tenant="acme")
    tokens = {name: each.destinations[0].hec_token for name, each in registry.snapshot.tenants.items()}
    assert [token and token.value for token in tokens.values()] == [b"second", b"second"]
    assert not registry.refresh()
    assert heard == [registry.snapshot]


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "empty", "large"])
def test_a_start_without_every_secret_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """Whatever stands in the secret file's place; a pipe does not hold it up."""
    path = written(tmp_path / "tenants.yaml", text("acme", ref="file:sentry"))
    secret = tmp_path / "sentry"
    if kind == "folder":
        secret.mkdir()
    elif kind == "pipe":
        os.mkfifo(secret)
    elif kind == "empty":
        secret.write_text("\n")
    elif kind == "large":
        with secret.open("wb") as file:
            file.truncate(100_000_000)
    began = time.monotonic()
    with pytest.raises(ConfigError) as refused:
        Registry.load(path, environ=ENVIRON)
    assert time.monotonic() - began < 30  # opening a pipe that nobody writes to has no end
    place = f"{path}:3:31: tenants.acme.sentry.client_secrets[0]: file:sentry does not resolve: "
    assert str(refused.value).startswith(place)


def test_every_reference_that_does_not_resolve_is_told(tmp_path: Path) -> None:
    """One start tells all that is missing."""
    path = written(tmp_path / "tenants.yaml", text("acme", "globex"))
    with pytest.raises(ConfigError) as refused:
        Registry.load(path, environ={})
    assert [line.split(": ")[1] for line in str(refused.value).split("\n")] == [
        "tenants.acme.sentry.client_secrets[0]",
        "tenants.acme.splunk[0].hec_token",
        "tenants.globex.sentry.client_secrets[0]",
        "tenants.globex.splunk[0].hec_token",
    ]
