"""``make serve``: the relay between its stand-ins, started again whenever the code changes.

The stand-in Splunk listens on port 8088, the relay on 8080 with one tenant, ``acme``; everything lies in ``var/serve``.
After each start every sample is sent once. Control-C ends it.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / "var" / "serve"
LOOK_EVERY_S = 0.5
START_S = 30.0
RELAY = (sys.executable, "-m", "app")
ENVIRONMENT = {
    "RELAY_TENANTS_FILE": str(FOLDER / "tenants.yaml"),
    "RELAY_SPOOL_URL": f"sqlite:///{FOLDER / 'spool.db'}",
    "RELAY_LOG_FORMAT": "console",
    "SERVE_SENTRY_SECRET": "a-secret-of-no-worth",
    "SERVE_HEC_TOKEN": "stand-in",
}
TENANTS = """\
tenants:
  acme:
    sentry:
      client_secrets: [env:SERVE_SENTRY_SECRET]
    splunk:
      - name: main
        url: http://127.0.0.1:8088
        hec_token: env:SERVE_HEC_TOKEN
        index: sentry
"""


def main() -> int:
    """Until Control-C."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tenants = FOLDER / "tenants.yaml"
    if not tenants.exists():
        tenants.write_text(TENANTS, "utf-8")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            with running("splunk", "--show"), running("serve"):
                seen = written_at()
                send_samples()
                while written_at() == seen:
                    time.sleep(LOOK_EVERY_S)
                say("the code has changed: starting again")
    except KeyboardInterrupt:
        return 0


@contextmanager
def running(*command: str) -> Iterator[None]:
    """A command of the relay, ended in order afterwards."""
    process = subprocess.Popen([*RELAY, *command], cwd=PROJECT, env=os.environ | ENVIRONMENT)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def send_samples() -> None:
    """Every sample, as soon as the relay is alive; nothing if it does not get that far, for it has said why itself."""
    ends = time.monotonic() + START_S
    while not alive():
        if time.monotonic() > ends:
            say("the relay does not come up; change the code, or end this with Control-C")
            return
        time.sleep(LOOK_EVERY_S)
    door = ("--url", "http://127.0.0.1:8080/sentry/acme", "--secret", "env:SERVE_SENTRY_SECRET", "--all")
    subprocess.run([*RELAY, "send", *door], cwd=PROJECT, env=os.environ | ENVIRONMENT, check=False)


def alive() -> bool:
    """Whether the relay answers."""
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=LOOK_EVERY_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def written_at() -> Mapping[Path, int]:
    """When each file of the code was last written."""
    return {path: path.stat().st_mtime_ns for path in (PROJECT / "app").rglob("*.*") if path.suffix != ".pyc"}


def say(words: str) -> None:
    """A line of its own between those of the others."""
    sys.stdout.write(f"==> {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
