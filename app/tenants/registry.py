"""The tenants in force, and how they follow the tenants file and the secret files while the relay runs."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from app.errors import ConfigError
from app.secrets.last_good import LastGoodSecrets, values_of
from app.secrets.references import FileVersion, Marks, References, marks_of, read_file
from app.tenants.file import yaml_text
from app.tenants.file.assemble import NOTHING_KEPT, rotated, snapshot_of
from app.tenants.file.trust import exposed_files, is_private, unused_proxies
from app.tenants.model import Snapshot

_log = structlog.get_logger()

_NAMES_LOGGED_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Everything that changes, so that it changes in one step."""

    snapshot: Snapshot
    marks: Marks
    """The versions of the files that were read for it, and of those that the last refused file names."""
    problem: str | None = None


class Registry:
    """Holds the snapshot in force. Reading it is an attribute look-up; files are only read when they change.

    ``refresh`` and ``watch`` replace the snapshot in one step and then call back, in the thread they run in.
    """

    def __init__(self, path: Path, environ: Mapping[str, str], snapshot: Snapshot, marks: Marks) -> None:
        self._path = path
        self._environ = environ
        self._state = _State(snapshot=snapshot, marks=marks)
        self._callbacks: list[Callable[[Snapshot], None]] = []

    @classmethod
    def load(cls, path: Path, *, environ: Mapping[str, str]) -> "Registry":
        """Read the file and every secret it names.

        Raises:
            ConfigError: every fault of the file, or every reference that does not resolve: a relay that
                starts can serve all of its tenants.
        """
        marks: dict[Path, FileVersion | None] = {}
        return cls(path, environ, _read(path, environ, NOTHING_KEPT, marks), marks)

    @property
    def snapshot(self) -> Snapshot:
        """The tenants in force."""
        return self._state.snapshot

    @property
    def problem(self) -> str | None:
        """Why the present version of the file was refused, in words; ``None`` while it is in force."""
        return self._state.problem

    def on_change(self, callback: Callable[[Snapshot], None]) -> None:
        """Have ``callback`` called with every new snapshot, after it is in force."""
        self._callbacks.append(callback)

    def refresh(self, *, tenant: str | None = None) -> bool:
        """Resolve the secrets in force again, now; of one tenant, or of all (which reads every secret file).

        A secret that cannot be read keeps its last good value, with a warning. Whether any value changed.
        """
        before = self._state
        references = References(self._environ, self._path.parent)
        keeping = LastGoodSecrets(references.resolve, values_of(before.snapshot, tenant=tenant))
        snapshot = rotated(before.snapshot, keeping, tenant=tenant)
        return self._take_secrets(before.snapshot, snapshot, references.marks)

    async def watch(self, *, poll_s: float) -> None:
        """Follow the files for ever. A change is read once it has rested for one look, so never half written.

        Looking and reading happen in a thread, replacing and calling back on the loop.
        """
        last: Marks = self._state.marks
        while True:
            await asyncio.sleep(poll_s)
            seen = self._state.marks
            now = await asyncio.to_thread(marks_of, tuple(seen))
            if now != seen and now == last:
                await self._follow(now)
            last = now

    async def _follow(self, now: Marks) -> None:
        """Take over what changed: the file, if it did or was refused before, and the secrets in any case."""
        before = self._state
        moved = now.get(self._path) != before.marks.get(self._path)
        if moved or before.problem is not None:
            marks: dict[Path, FileVersion | None] = {}
            try:
                good = values_of(before.snapshot)
                snapshot = await asyncio.to_thread(_read, self._path, self._environ, good, marks)
            except ConfigError as error:
                self._refuse(str(error), marks, again=not moved)
            else:
                self._take_file(snapshot, marks)
                return
        before = self._state
        references = References(self._environ, self._path.parent)
        keeping = LastGoodSecrets(references.resolve, values_of(before.snapshot))
        snapshot = await asyncio.to_thread(rotated, before.snapshot, keeping)
        self._take_secrets(before.snapshot, snapshot, references.marks)

    def _take_file(self, snapshot: Snapshot, marks: Marks) -> None:
        """Put a new reading of the file into force."""
        old, new = self._state.snapshot, snapshot
        self._state = _State(snapshot=snapshot, marks=marks)
        kept = old.tenants.keys() & new.tenants.keys()
        _log.info(
            "tenants.reloaded",
            tenants=len(new.tenants),
            added=len(new.tenants) - len(kept),
            removed=len(old.tenants) - len(kept),
            changed=sum(old.tenants[name] != new.tenants[name] for name in kept),
            warnings=list(new.warnings[:_NAMES_LOGGED_MAX]),
        )
        self._changed(old)

    def _refuse(self, problem: str, marks: Marks, *, again: bool) -> None:
        """Let the old snapshot serve on, and watch the files that the refused one names as well."""
        before = self._state
        if not again or problem != before.problem:
            _log.error("tenants.refused", file=str(self._path), problem=problem)
        self._state = _State(
            snapshot=before.snapshot,
            marks={**before.marks, **marks},
            problem=problem,
        )

    def _take_secrets(self, base: Snapshot, snapshot: Snapshot, marks: Marks) -> bool:
        """Put secrets that were resolved again into force, unless the tenants changed meanwhile."""
        before = self._state
        if before.snapshot is not base:
            return False
        self._state = _State(
            snapshot=snapshot,
            marks={**before.marks, **marks},
            problem=before.problem,
        )
        if snapshot is base:
            return False
        fresh, stale = values_of(snapshot), values_of(base)
        names = sorted(name for name in fresh if fresh[name] != stale.get(name))
        if names:
            _log.info("secrets.rotated", secrets=names[:_NAMES_LOGGED_MAX], count=len(names))
        self._changed(base)
        return bool(names)

    def _changed(self, old: Snapshot) -> None:
        """Warn of secrets that have just become unreadable, then tell everybody."""
        snapshot = self._state.snapshot
        for words in sorted(set(snapshot.unresolved) - set(old.unresolved))[:_NAMES_LOGGED_MAX]:
            _log.warning("secret.unresolved", problem=words)
        for callback in self._callbacks:
            callback(snapshot)


def _read(
    path: Path, environ: Mapping[str, str], good: Mapping[str, bytes], marks: dict[Path, FileVersion | None]
) -> Snapshot:
    """Read the file and its secrets; ``marks`` gets the version of every file met, also when it fails."""
    file = str(path)
    marks[path] = None
    try:
        raw, marks[path] = read_file(path, bytes_max=yaml_text.DOCUMENT_BYTES_MAX)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}; RELAY_TENANTS_FILE says where the tenants file is") from None
    references = References(environ, path.parent)
    try:
        with _collector_paused():
            snapshot = snapshot_of(
                yaml_text.parse(raw, file=file),
                resolve=references.resolve,
                good=good,
                file=file,
                locate=lambda: yaml_text.spots(raw, file=file),
            )
        read = {path: marks[path], **references.marks}
        exposed = exposed_files(read, _secret_files(snapshot, references))
        return replace(snapshot, warnings=(*snapshot.warnings, *exposed, *unused_proxies(snapshot, environ)))
    finally:
        marks.update(references.marks)


def _secret_files(snapshot: Snapshot, references: References) -> set[Path]:
    """The files that hold a secret or a private key, as against certificates."""
    values = values_of(snapshot).items()
    return {references.path(name) for name, value in values if name.startswith("file:") and is_private(value)}


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile: no cycles are made, and walking all that is new doubles the time."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()
