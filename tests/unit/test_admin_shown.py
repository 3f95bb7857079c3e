"""What ``relay deliveries`` prints."""

from typing import Any

from app.admin.serialization import life_json
from app.cli.deliveries import output
from app.model import Attempt, Cause, DeliveryRecord, State, Stream


def life(**changes: object) -> dict[str, Any]:
    """A dead letter as the admin API shows it."""
    values: dict[str, Any] = {
        "seq": 64,
        "delivery_id": "48b09fc16657db3bc1ea0919cf2bb5a5",
        "stream": Stream("acme", "main"),
        "state": State.DEAD,
        "sender": "integration",
        "resource": "issue",
        "request_id": "",
        "verified_with": "env:ACME_SENTRY_SECRET",
        "installation": "",
        "payload_bytes": 1636,
        "received_at": 1_764_000_000.25,
        "attempts": 1,
        "ambiguous": 0,
        "tried": (Attempt(1_764_000_001, 0.012, "invalid data format (HTTP 400, code 6)"),),
        "fault": "invalid data format (HTTP 400, code 6)",
        "cause": Cause.REJECTED,
        "ended_at": 1_764_000_001.3,
    }
    return life_json(DeliveryRecord(**(values | changes)))


def test_a_list_has_two_lines_a_delivery_and_fits_a_terminal() -> None:
    """When, whose, why, who must act, how often; below it the id and what Splunk said."""
    long = Stream("a-tenant-with-a-name-of-many-characters", "a-destination-with-another-such-name")
    lines = list(
        output.listed([life(), life(stream=long, cause=Cause.UNTRANSFORMABLE, fault="x" * 500, attempts=10**6)])
    )
    assert [line.split() for line in lines[:3]] == [
        ["RECEIVED", "(UTC)", "FOR", "CAUSE", "OR", "STATE", "WHO", "MUST", "ACT", "ATTEMPTS"],
        ["2025-11-24", "16:00:00", "acme/main", "rejected", "payload", "1"],
        ["48b09fc16657db3bc1ea0919cf2bb5a5", "invalid", "data", "format", "(HTTP", "400,", "code", "6)"],
    ]
    assert len(lines) == 5
    assert max(map(len, lines)) <= output.WIDTH
    assert lines[3].endswith("relay         1000000")
    assert not list(output.listed([]))


def test_the_books_are_shown_as_an_equation_that_holds_or_not() -> None:
    """One line a stream and one for all."""
    names = ("accepted", "delivered", "filtered", "discarded", "adopted", "waiting", "dead")
    stream = {"tenant": "acme", "destination": "main", "adds_up": True}
    stream |= dict(zip(names, (123_456_789, 123_456_780, 1, 2, 0, 3, 3), strict=True))
    stats: dict[str, Any] = {
        "streams": [stream, stream | {"tenant": "", "destination": ""}],
        "dead": [{"tenant": "acme", "destination": "main", "cause": "rejected", "must_act": "payload", "count": 3}],
        "dead_looked_at": 3,
        "hooks": 6,
        "payload_bytes": 600,
        "dead_bytes": 300,
        "history": 9,
        "oldest_waiting_at": None,
        "oldest_dead_at": "2026-11-22T10:00:00.000000Z",
    }
    lines = list(output.books(stats))
    assert " ".join(lines[1].split()) == "acme/main 123456789 = 123456780 + 1 + 2 + 0 + 3 + 3"
    assert lines[2].split()[0] == "(parked)"
    assert " ".join(lines[3].split()) == "all 246913578 = 246913560 + 2 + 4 + 0 + 6 + 6"
    assert lines[4] == "adds up"
    assert "(only the newest 3 of 6 were told apart)" in lines
    assert "dead letters: 6, 300 payload bytes, the oldest since 2026-11-22 10:00:00 UTC" in lines
    assert max(map(len, lines)) <= output.WIDTH
    wrong = list(output.books(stats | {"streams": [stream | {"adds_up": False}]}))
    assert "does not add up: acme/main; please report it" in wrong


def test_an_audit_says_who_why_and_which() -> None:
    """A long reason is wrapped and not cut."""
    entry = {
        "number": 7,
        "at": "2026-11-22T10:00:00.000000Z",
        "action": "discard",
        "actor": "ada",
        "reason": "word " * 99,
        "count": 2,
        "delivery_ids": ["48b0", "59c1"],
    }
    lines = list(output.audited([entry, entry | {"delivery_ids": []}]))
    assert lines[1].split() == ["7", "2026-11-22", "10:00:00", "discard", "2", "ada"]
    assert sum(line.count("word") for line in lines) == 198
    assert lines.count("    48b0 and 1 more") == 1
    assert max(map(len, lines)) <= output.WIDTH
    assert not list(output.audited([]))


def test_every_life_of_a_hook_is_told_after_the_other() -> None:
    """Id, destination and state above each."""
    lines = list(output.lived([life(), life(stream=Stream("acme", "audit"), state=State.DELIVERED, cause=None)]))
    heads = [line for line in lines if line.startswith("48b09")]
    assert heads == [
        "48b09fc16657db3bc1ea0919cf2bb5a5  acme/main  dead",
        "48b09fc16657db3bc1ea0919cf2bb5a5  acme/audit  delivered",
    ]
    assert "  verified    with env:ACME_SENTRY_SECRET" in lines


def test_nothing_that_was_sent_can_speak_to_the_terminal() -> None:
    """Control characters of any kind become question marks."""
    assert output.safe("a\x1b[2J\x9b\u202e\tb é") == "a?[2J???b é"
