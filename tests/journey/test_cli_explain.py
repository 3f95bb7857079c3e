"""``relay explain`` says what would become of a payload, and sends nothing."""

import hmac
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.explain import explain_command
from app.splunk.encode import encode
from tests.goldens import PAYLOADS, golden, made_of

NAME = "error.created.typical"
FILE = PAYLOADS / f"{NAME}.json"
SECRET = "the-client-secret"
TENANTS = """
tenants:
  brauerei:
    sentry: {client_secrets: [env:S], legacy_keys: [env:L], own_projects: [own]}
    splunk:
      - name: main
        url: https://splunk.example
        hec_token: env:T
        routes:
          - when: {resource: comment}
            drop: true
          - when: {level: [error], tag: {team: ledger}}
            index: sentry_prod
      - {name: second, url: "https://splunk.example", hec_token: env:T, index: i}
"""


def _explain(folder: Path, *options: str, file: Path = FILE, text: bytes | None = None) -> Result:
    (folder / "tenants.yaml").write_text(TENANTS)
    environ = {"RELAY_TENANTS_FILE": str(folder / "tenants.yaml"), "S": SECRET, "L": "l" * 20, "T": "hec-token-1"}
    given = ["-" if text is not None else str(file), "--tenant", "brauerei", *options]
    return CliRunner().invoke(explain_command, given, env=environ, input=text)


def _signed(body: bytes, secret: str = SECRET) -> str:
    return f"Sentry-Hook-Signature: {hmac.digest(secret.encode(), body, 'sha256').hex()}"


def test_it_shows_route_size_and_the_hec_event_as_it_would_be_posted(tmp_path: Path) -> None:
    """Byte for byte what the encoder writes; each destination is told."""
    result = _explain(tmp_path, "--resource", "error", "--header", "Sentry-Hook-Timestamp: 1778000000")
    assert result.exit_code == 0, result.output
    assert "not tried" in result.output
    assert "2 of 2, for level: error, tag:team: ledger: index sentry_prod" in result.output
    assert "the destination has none" in result.output
    envelopes = [line for line in result.output.splitlines() if line.startswith("{")]
    assert [json.loads(each)["index"] for each in envelopes] == ["sentry_prod", "i"]
    event = json.loads(envelopes[1])["event"]
    delivery_id = json.loads(envelopes[1])["fields"]["relay_delivery_id"]
    made = made_of(NAME, delivery_id=delivery_id, received_at=event["received"])
    assert envelopes[1].encode() == encode(made, delivery_id=delivery_id)
    assert f"{len(envelopes[1].encode()):,} bytes" in result.output
    assert json.loads(envelopes[1])["event"] == golden(made)["event"]


@pytest.mark.parametrize(
    ("secret", "words", "status"), [(SECRET, "verified with env:S", 0), ("no", "bad_signature", 1)]
)
def test_a_signature_that_is_given_is_checked(tmp_path: Path, secret: str, words: str, status: int) -> None:
    """By the tenant's secrets, and what is wrong with it is said as the log would say it."""
    result = _explain(tmp_path, "--resource", "error", "--header", _signed(FILE.read_bytes(), secret))
    assert (result.exit_code, words in result.output) == (status, True)
    assert SECRET not in result.output
    assert "hec-token-1" not in result.output


def test_another_secret_can_be_tried(tmp_path: Path) -> None:
    """To find out which one signed."""
    (tmp_path / "other").write_text("another")
    reference = f"file:{tmp_path / 'other'}"
    header = _signed(FILE.read_bytes(), "another")
    result = _explain(tmp_path, "--resource", "error", "--header", header, "--secret", reference)
    assert f"verified with {reference}" in result.output


def test_a_hook_that_is_filtered_says_by_what(tmp_path: Path) -> None:
    """A route that drops, and a project of the relay's own."""
    comment = PAYLOADS / "comment.created.typical.json"
    assert "a route drops resource: comment" in _explain(tmp_path, file=comment).output
    own = b'{"action":"created","data":{"comment_id":1,"project_slug":"own"}}'
    assert "own_projects" in _explain(tmp_path, "--destination", "second", text=own).output


def test_what_comes_behind_a_key_is_told_by_its_shape(tmp_path: Path) -> None:
    """The legacy plugin, GlitchTip, Bugsink; and what nobody can read."""
    bugsink = PAYLOADS / "bugsink.regressed.typical.json"
    result = _explain(tmp_path, "--legacy", "--pretty", "--destination", "main", file=bugsink)
    assert "bugsink.regressed" in result.output
    assert '  "sourcetype": "sentry:bugsink"' in result.output
    assert "unreadable_payload)" in _explain(tmp_path, text=b"{").output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tenant", "braurei"], "the nearest one is brauerei"),
        (["--destination", "third"], "are main, second"),
        (["--header", "no colon"], "Name: value"),
        (["--secret", "a-literal"], "never as itself"),
        (["--secret", "env:NOT_THERE"], "no such variable"),
    ],
)
def test_wrong_usage_says_what_would_be_right(tmp_path: Path, options: list[str], words: str) -> None:
    """With the exit status of wrong usage."""
    result = _explain(tmp_path, *options)
    assert result.exit_code == 2
    assert words in result.output
