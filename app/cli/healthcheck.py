"""``python -m app.cli.healthcheck``: the container's health check, in an image without a shell's tools.

Asks the relay of this machine for ``GET /livez`` and exits 0 if the answer is 200, 1 if it is another or none.
Standard library only, and as little of it as will do: it is a new process every few seconds.
"""

import os
import socket
import sys
from collections.abc import Mapping

PATIENCE_S = 2.0
_ANSWER_BYTES = 512
_OF_EVERY_INTERFACE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, never bound


def main(environment: Mapping[str, str]) -> int:
    """The exit status. Reads ``RELAY_HOST`` (of several, the first) and ``RELAY_PORT``; says why it is not 0."""
    host = (environment.get("RELAY_HOST") or "127.0.0.1").partition(",")[0].strip()
    address = _OF_EVERY_INTERFACE.get(host, host)
    try:
        head = _asked(address, int(environment.get("RELAY_PORT") or "8080"))
    except (OSError, ValueError) as fault:
        return _not_alive(f"no answer from {address}: {fault}")
    status = head.split(b" ", 2)[1:2]
    if status == [b"200"]:
        return 0
    return _not_alive(f"{address} answered {head[:40]!r}")


def _asked(address: str, port: int) -> bytes:
    with socket.create_connection((address, port), PATIENCE_S) as connection:
        # HTTP/1.0: the answer ends where the connection does.
        connection.sendall(b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n")
        return connection.recv(_ANSWER_BYTES)


def _not_alive(why: str) -> int:
    sys.stderr.write(f"not alive: {why}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(os.environ))
