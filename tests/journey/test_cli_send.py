"""``relay send`` against a real server that plays the relay."""

import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from app.cli.send import send_command
from app.sandbox.sentry import samples

SECRET = "0f" * 32
REFERENCE = "env:ACME_SENTRY_SECRET"
KEY = "k3y/with a slash"
ENVIRONMENT = {"ACME_SENTRY_SECRET": SECRET, "ACME_LEGACY_KEY": KEY}


class Relay(ThreadingHTTPServer):
    """Answers every POST with ``status`` and keeps what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.status = 202
        self.answer = b'{"delivery": "d41d8cd98f00b204e9800998ecf8427e"}'
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        """Where Sentry would post."""
        return f"http://127.0.0.1:{self.server_port}/sentry/acme"


class _Talk(BaseHTTPRequestHandler):
    server: Relay

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers.items()), body))
        self.send_response(self.server.status)
        if self.server.status == 307:
            self.send_header("Location", self.path + "/")
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Tests speak for themselves."""


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A server on a real port, in a thread of its own."""
    with Relay() as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def send(relay: Relay, *arguments: str, secret: str = REFERENCE) -> Result:
    """One run of the command; an empty ``secret`` leaves the option out."""
    options = ["--url", relay.url, *(["--secret", secret] if secret else []), *arguments]
    return CliRunner().invoke(send_command, options, env=ENVIRONMENT)


def test_one_sample_is_signed_and_posted(relay: Relay) -> None:
    """Without more said, one ``issue.created`` goes out under the secret, and the line names its delivery."""
    result = send(relay)
    assert result.exit_code == 0, result.output
    [(path, headers, body)] = relay.seen
    assert path == "/sentry/acme"
    assert headers["Sentry-Hook-Resource"] == "issue"
    assert headers["Sentry-Hook-Signature"] == hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    assert "d41d8cd98f00b204e9800998ecf8427e" in result.output


def test_every_sample_goes_out_with_all(relay: Relay) -> None:
    """``--all`` posts each sample once, the legacy one to its secret path, and shows neither secret nor key."""
    result = send(relay, "--all", "--legacy-key", "env:ACME_LEGACY_KEY")
    assert result.exit_code == 0, result.output
    assert len(relay.seen) == len(samples())
    assert [path for path, *_ in relay.seen if path != "/sentry/acme"] == ["/sentry/acme/legacy/k3y%2Fwith%20a%20slash"]
    assert SECRET not in result.output
    assert "k3y" not in result.output
    assert f"{len(samples())} of {len(samples())} accepted" in result.output


def test_rounds_are_hooks_of_their_own(relay: Relay) -> None:
    """``--count`` posts new hooks, in this run and in the next, never a repeat of one."""
    for _ in range(2):
        send(relay, "--sample", "error.created", "--sample", "comment.created", "--count", "3")
    assert len({headers["Idempotency-Key"] for _, headers, _ in relay.seen}) == 12


def test_a_file_goes_out_as_it_is(relay: Relay, tmp_path: Path) -> None:
    """The bytes of ``--file`` are signed and posted untouched, whatever they are."""
    file = tmp_path / "odd.json"
    file.write_bytes(b'{ "not":  compact \xff')
    result = send(relay, "--file", str(file), "--resource", "issue")
    [(_, headers, body)] = relay.seen
    assert body == file.read_bytes()
    assert headers["Sentry-Hook-Signature"] == hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    assert "odd.json" in result.output


def test_a_secret_may_come_from_a_file(relay: Relay, tmp_path: Path) -> None:
    """``file:PATH`` is read, and a newline at its end is not part of the secret."""
    (tmp_path / "secret").write_text(SECRET + "\n", "utf-8")
    assert send(relay, secret=f"file:{tmp_path / 'secret'}").exit_code == 0
    [(_, headers, body)] = relay.seen
    assert headers["Sentry-Hook-Signature"] == hmac.new(SECRET.encode(), body, "sha256").hexdigest()


def test_a_redirect_is_told_for_what_it_is(relay: Relay) -> None:
    """A 3xx is no success here, and the line says that Sentry would think so."""
    relay.status = 307
    result = send(relay)
    assert result.exit_code == 1
    assert "Sentry would call this a success and the hook would be lost" in result.output
    assert len(relay.seen) == 1


def test_a_refusal_shows_the_answer_and_fails(relay: Relay) -> None:
    """A 401 shows its code word, without letting the answer write to the terminal, and exits 1."""
    relay.status = 401
    relay.answer = b'{"error": "bad_signature"}\x1b[31m'
    result = send(relay)
    assert result.exit_code == 1
    assert "bad_signature" in result.output
    assert "never retries" in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize("answer", [b"<html>welcome</html>", b"[]", b'{"delivery": 7}', b""])
def test_a_202_without_a_delivery_is_not_accepted(relay: Relay, answer: bytes) -> None:
    """Only the relay's own answer counts: whatever else says 202 promised nothing."""
    relay.answer = answer
    result = send(relay)
    assert result.exit_code == 1
    assert "nothing is promised" in result.output
    assert "0 of 1 accepted" in result.output


def test_a_relay_that_is_not_there_is_said_in_words(relay: Relay) -> None:
    """No connection is one line and exit status 1, not a traceback."""
    relay.server_close()
    result = send(relay)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "lost for an internal integration" in result.output


@pytest.mark.parametrize(
    ("arguments", "secret", "words"),
    [
        ([], SECRET, "never as itself"),
        ([], "env:NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE"),
        ([], "file:/nowhere/at/all", "/nowhere/at/all"),
        ([], "", "--secret is needed"),
        (["--sample", "legacy"], "", "--legacy-key"),
        (["--sample", "issue.invented"], "env:ACME_SENTRY_SECRET", "issue.invented"),
        (["--all", "--file", "-"], "env:ACME_SENTRY_SECRET", "--file goes without"),
        (["--all", "--url", "127.0.0.1:8080/sentry/acme"], "env:ACME_SENTRY_SECRET", "http:// or https://"),
    ],
)
def test_a_wrong_call_posts_nothing(relay: Relay, arguments: list[str], secret: str, words: str) -> None:
    """A usage error is said in words, exits 2, shows no secret and sends nothing."""
    result = send(relay, *arguments, secret=secret)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert SECRET not in result.output
    assert not relay.seen


def test_a_legacy_file_goes_out_unsigned(relay: Relay, tmp_path: Path) -> None:
    """With a legacy key the file goes to the secret path without a signature, and no secret is asked for."""
    file = tmp_path / "plugin.json"
    file.write_text(json.dumps({"project": "checkout"}), "utf-8")
    result = send(relay, "--file", str(file), "--legacy-key", "env:ACME_LEGACY_KEY", secret="")
    assert result.exit_code == 0, result.output
    [(path, headers, _)] = relay.seen
    assert path.startswith("/sentry/acme/legacy/")
    assert not [name for name in headers if "Signature" in name]
