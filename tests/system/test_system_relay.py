"""The relay from outside, as its users meet it: started, sent to, looked at, stopped, killed, started again."""

import http.client
import json
import signal
from threading import Thread
from typing import Any

import pytest

from tests.system.running import HEC_TOKEN, SECRET, Relay, Splunk, hook

RESOURCES = (
    "installation",
    "error",
    "comment",
    "event_alert",
    "activity_alert",
    "metric_alert",
    "seer",
    "preprod_artifact",
    "tide_report",
    "",
)


def accepted(relay: Relay, numbers: range) -> set[str]:
    """Post a hook for each number; the delivery ids of the answers, all of them 202."""
    answers = [relay.post(*hook(number)) for number in numbers]
    assert [each.status for each in answers] == [202] * len(answers)
    return {each.json()["delivery"] for each in answers}


def test_a_signed_hook_arrives(relay: Relay, splunk: Splunk) -> None:
    """What was answered 202 is indexed for the right tenant, in its index, and says what it is."""
    [delivery_id] = accepted(relay, range(1, 2))
    [hec_event] = found(splunk, {delivery_id})
    assert hec_event["sourcetype"] == "sentry:issue"
    assert hec_event["index"] == "sentry"
    assert hec_event["event"]["tenant"] == "acme"
    assert hec_event["event"]["title"] == "Fault № 1"


def found(splunk: Splunk, delivery_ids: set[str]) -> list[dict[str, Any]]:
    """The hec_events of these deliveries, once all have landed."""
    landed = splunk.wait_for(delivery_ids)
    return [each for each in landed if each["fields"]["relay_delivery_id"] in delivery_ids]


@pytest.mark.parametrize(("number", "resource"), [*enumerate(RESOURCES, start=200)])
def test_whatever_the_header_says_an_authentic_hook_arrives(
    relay: Relay, splunk: Splunk, number: int, resource: str
) -> None:
    """No resource, known or not, and no mismatch of header and body keeps a signed hook out."""
    answer = relay.post(*hook(number, resource))
    assert answer.status == 202
    splunk.wait_for({answer.json()["delivery"]})


def test_the_same_hook_again_is_the_same_delivery(relay: Relay, splunk: Splunk) -> None:
    """The same key is the same hook, and arrives once; under another key the same bytes are another hook."""
    body, headers = hook(3)
    answers = [relay.post(body, headers | {"Idempotency-Key": key}) for key in ("k", "k", "l")]
    first, second, other = (each.json()["delivery"] for each in answers)
    assert first == second != other
    assert len(found(splunk, {first, other})) == 2


@pytest.mark.parametrize(
    ("path", "spoilt", "status", "code"),
    [
        ("/sentry/acme", {"Sentry-Hook-Signature": "0" * 64}, 401, "bad_signature"),
        ("/sentry/acme", {"Sentry-Hook-Signature": ""}, 401, "bad_signature"),
        ("/sentry/nobody", {}, 404, "unknown_tenant"),
        ("/elsewhere", {}, 404, "not_found"),
    ],
)
def test_a_refusal_says_its_code_word_and_nothing_secret(
    relay: Relay, path: str, spoilt: dict[str, str], status: int, code: str
) -> None:
    """Answer and log name the reason by its word; neither secret nor hec_token is in them."""
    body, headers = hook(5)
    answer = relay.post(body, headers | spoilt, path)
    assert answer.status == status
    assert code in answer.body.decode()
    said = answer.body.decode() + relay.life.said()
    assert SECRET not in said
    assert HEC_TOKEN not in said


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/version", "/metrics", "/livez/", "/metrics/"])
def test_every_look_answers_without_a_redirect(relay: Relay, path: str) -> None:
    """With or without a slash at the end, the four looks answer 200 at once."""
    answer = relay.get(path)
    assert answer.status == 200
    assert answer.body


def test_a_slash_at_the_end_is_no_redirect_for_sentry(relay: Relay, splunk: Splunk) -> None:
    """Sentry takes a 3xx for success and follows none, so both spellings of the URL accept."""
    answer = relay.post(*hook(6), "/sentry/acme/")
    assert answer.status == 202
    splunk.wait_for({answer.json()["delivery"]})


def test_sigterm_ends_with_143_and_loses_nothing(relay: Relay, splunk: Splunk) -> None:
    """What Splunk did not take before the stop is delivered after the next start."""
    splunk.stop()
    delivery_ids = accepted(relay, range(10, 30))
    assert relay.stop() == 128 + signal.SIGTERM
    splunk.start()
    relay.start()
    splunk.wait_for(delivery_ids)


def test_sigkill_loses_nothing(relay: Relay, splunk: Splunk) -> None:
    """A relay that had no time to do anything has lost nothing that it answered 202."""
    splunk.stop()
    delivery_ids = accepted(relay, range(40, 60))
    relay.stop(signal.SIGKILL)
    splunk.start()
    relay.start()
    splunk.wait_for(delivery_ids)


def test_a_stop_amid_hooks_keeps_every_202(relay: Relay, splunk: Splunk) -> None:
    """Hooks that come in while the relay stops are refused or kept, and nothing between."""
    delivery_ids: set[str] = set()

    def post_until_refused() -> None:
        for number in range(1000, 100_000):
            try:
                answer = relay.post(*hook(number))
            except (OSError, http.client.HTTPException):
                return
            if answer.status != 202:
                return
            delivery_ids.add(answer.json()["delivery"])

    sender = Thread(target=post_until_refused)
    sender.start()
    accepted(relay, range(70, 80))
    assert relay.stop() == 128 + signal.SIGTERM
    sender.join()
    assert delivery_ids
    relay.start()
    splunk.wait_for(delivery_ids)


def test_every_line_of_the_log_is_json(relay: Relay, splunk: Splunk) -> None:
    """From the first line to the last, a log collector can parse what the relay writes."""
    delivery_ids = accepted(relay, range(90, 92))
    splunk.wait_for(delivery_ids)
    relay.stop()
    lines = [json.loads(line) for line in relay.life.said().splitlines() if line]
    assert lines
    assert all(isinstance(line, dict) for line in lines)
    assert any(delivery_id in str(lines) for delivery_id in delivery_ids)
