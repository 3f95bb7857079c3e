"""The stand-in Sentry's samples: everything Sentry sends, each as often as wanted, never two alike."""

import json
from typing import Any

import pytest

from app.sandbox.sentry import INSTALLATION, Sample, large_error, sample, samples

NOW = 1_750_000_000.0

# Resources and actions of getsentry/sentry's event types.
EVERY_ACTION = {
    "installation": {"created", "deleted"},
    "issue": {"created", "resolved", "assigned", "ignored", "archived", "unresolved"},
    "error": {"created"},
    "comment": {"created", "updated", "deleted"},
    "event_alert": {"triggered"},
    "activity_alert": {"triggered"},
    "metric_alert": {"critical", "warning", "resolved", "open"},
    "seer": {
        "root_cause_started",
        "root_cause_completed",
        "solution_started",
        "solution_completed",
        "coding_started",
        "coding_completed",
        "pr_created",
        "pr_ready_for_review",
        "iteration_started",
        "iteration_completed",
    },
    "preprod_artifact": {"size_analysis_completed", "build_distribution_completed"},
}

# The path in ``data`` by which Sentry's own request log tells the resources apart.
TELLTALE = {
    "installation": "installation",
    "issue": "issue",
    "error": "error",
    "comment": "comment_id",
    "event_alert": "event",
    "activity_alert": "activity",
    "metric_alert": "metric_alert",
    "seer": "run_id",
    "preprod_artifact": "buildId",
}

by_name = pytest.mark.parametrize("each", [pytest.param(each, id=each.name) for each in samples()])


def parsed(each: Sample, seed: int = 1, now: float = NOW) -> dict[str, Any]:
    """One body, as a receiver would read it."""
    body: dict[str, Any] = json.loads(each.body(seed, now=now))
    return body


@pytest.mark.parametrize("resource", EVERY_ACTION)
def test_every_action_of_a_resource_has_a_sample(resource: str) -> None:
    """The catalogue names each action that Sentry can send for the resource."""
    assert {each.action for each in samples() if each.resource == resource} == EVERY_ACTION[resource]


def test_the_other_senders_and_an_unknown_resource_have_samples() -> None:
    """Service hook, legacy plugin and a resource that nobody knows are in the catalogue."""
    senders = {each.sender for each in samples()}
    unknown = {each.resource for each in samples() if each.sender == "integration"} - EVERY_ACTION.keys()
    assert senders == {"integration", "service_hook", "legacy"}
    assert unknown == {"tide_report"}


def test_names_are_unique_and_found() -> None:
    """Each name stands for one sample, and an unknown one is a KeyError."""
    names = [each.name for each in samples()]
    assert len(set(names)) == len(names)
    assert [sample(name).name for name in names] == names
    with pytest.raises(KeyError):
        sample("issue.invented")


@by_name
def test_a_body_is_compact_ascii_with_every_place_taken(each: Sample) -> None:
    """The bytes are what Sentry's encoder would write, and no ``@place@`` is left in them."""
    body = each.body(1, now=NOW)
    again = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=True)
    assert body.decode("ascii") == again
    assert "@part" not in again
    assert not [word for word in ("@installation@", "@event_id@", "@issue_id@") if word in again]


@by_name
def test_a_body_is_a_function_of_seed_and_clock(each: Sample) -> None:
    """The same arguments give the same bytes; another seed gives others."""
    assert each.body(7, now=NOW) == each.body(7, now=NOW)
    assert each.body(7, now=NOW) != each.body(8, now=NOW) or each.name == "installation.deleted"


@by_name
def test_a_signed_sample_has_the_common_body(each: Sample) -> None:
    """Integration hooks have action, installation, data and actor in Sentry's key order; others have none of it."""
    body = parsed(each)
    if each.sender == "integration":
        assert list(body) == ["action", "installation", "data", "actor"]
        assert body["action"] == each.action
        assert body["installation"] == {"uuid": INSTALLATION}
        assert isinstance(body["actor"]["id"], int) == (body["actor"]["type"] == "user")
        assert TELLTALE.get(each.resource, "tide_report") in body["data"]
    else:
        assert body.keys().isdisjoint({"action", "installation", "data", "actor"})


def test_installation_and_organization_are_as_asked() -> None:
    """A tenant of a shared integration gets hooks that name its own installation."""
    uuid = "00000000-1111-4222-8333-444444444444"
    for each in samples(installation=uuid, organization="heron"):
        body = each.body(1, now=NOW)
        assert INSTALLATION.encode() not in body
        assert b"lanternfish.sentry.io" not in body
        assert each.sender != "integration" or parsed(each)["installation"]["uuid"] == uuid


def test_dates_are_spelled_as_on_each_path() -> None:
    """``created`` tasks write ``+00:00``, the other issue actions and alerts write ``Z``."""
    assert parsed(sample("issue.created"))["data"]["issue"]["firstSeen"].endswith("+00:00")
    assert parsed(sample("issue.resolved"))["data"]["issue"]["firstSeen"].endswith("Z")
    assert parsed(sample("error.created"))["data"]["error"]["datetime"].endswith("+00:00")
    assert parsed(sample("event_alert.triggered"))["data"]["event"]["datetime"].endswith("Z")


def test_times_follow_the_clock_argument() -> None:
    """What a hook tells of happened shortly before it is sent."""
    for now in (NOW, NOW + 86_400):
        error = parsed(sample("error.created"), now=now)["data"]["error"]
        assert now - 2 < error["timestamp"] < error["received"] < now


def test_the_error_is_as_rich_as_a_real_one() -> None:
    """Exception chain, frames, breadcrumbs, contexts, tags, request, user and text beyond ASCII are there."""
    error = parsed(sample("error.created"))["data"]["error"]
    chain = error["exception"]["values"]
    assert [each["type"] for each in chain] == ["SerializationFailure", "LedgerWriteError"]
    assert all(each["stacktrace"]["frames"] for each in chain)
    assert all(error[key] for key in ("breadcrumbs", "contexts", "request", "user", "sdk", "extra"))
    assert all(len(pair) == 2 for pair in error["tags"])
    assert error["project"] > 2**32
    assert not error["title"].isascii()
    assert b"\\ud83d" in sample("error.created").body(1, now=NOW), "an escaped surrogate pair"


@pytest.mark.parametrize("size_bytes", [10_000, 150_000, 1_000_003])
def test_a_large_error_has_the_size_asked_for(size_bytes: int) -> None:
    """Whatever the seed, the body is exactly that long, and one more hook of the same kind."""
    large = large_error(size_bytes)
    assert {len(large.body(seed, now=NOW + seed)) for seed in range(5)} == {size_bytes}
    assert parsed(large)["data"]["error"]["exception"]["values"][-1]["type"] == "LedgerWriteError"


def test_too_small_a_large_error_is_refused() -> None:
    """A size below the plain sample's is a ValueError at once, not at the first body."""
    with pytest.raises(ValueError, match="at least"):
        large_error(1_000)
