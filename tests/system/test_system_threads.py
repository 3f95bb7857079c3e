"""No thread of the relay ends without the relay ending in words."""

import os
import subprocess
import sys
from pathlib import Path

from tests.system.running import SETTINGS, TENANTS

DEADLINE_S = 60
_PROGRAM = """
import threading

from app.cli.serve import serve_command


def die():
    raise LookupError("nobody thought of this")


threading.Timer(1.5, die).start()
serve_command([], standalone_mode=False)
"""


def test_a_thread_that_dies_ends_the_relay_in_words(tmp_path: Path) -> None:
    """Whichever it is: a process that lacks one is worth less than one that is started again."""
    (tmp_path / "tenants.yaml").write_text(TENANTS.format(port=9))
    for name in ("sentry_secret", "hec_token"):
        (tmp_path / name).write_text("d1" * 32)
    own = {"RELAY_TENANTS_FILE": "tenants.yaml", "RELAY_PORT": "0", "RELAY_SPOOL_URL": "sqlite:///spool.db"}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())} | SETTINGS | own,
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 1
    assert "LookupError: nobody thought of this" in done.stderr
    assert '"event":"worker.died"' in done.stdout
    assert '"event":"relay.failed"' in done.stdout
    assert '"event":"relay.stopped"' in done.stdout
