"""The stand-in Sentry's headers and what it makes of answers."""

import hmac

import pytest

from app.sandbox.sentry import (
    CONNECTION_FAILED,
    TIMED_OUT,
    Answer,
    hook_request,
    legacy_headers,
    sample,
    service_hook_signed,
    signed,
    verdict,
)

NOW = 1_750_000_000.5
SECRET = b"abc123"


def headers_of(body: bytes, idempotency_key: str | None = None) -> dict[str, str]:
    """The headers of one integration hook with this body."""
    return signed(body, SECRET, resource="issue", request_id="f" * 32, timestamp=17, idempotency_key=idempotency_key)


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (b'{"issue":123456}', "0e2041f59516f3d4507b22216f2e0050931692c1ae71c4207d38d79781963dfa"),
        (b"", "6d2d9fc610337f813a1b85869ec214129940860543ad04308d87357f6c0133f6"),
    ],
)
def test_the_signature_is_sentrys(body: bytes, signature: str) -> None:
    """The vector that Sentry publishes, and one over nothing, come out as they should."""
    assert headers_of(body)["Sentry-Hook-Signature"] == signature
    service_hook = service_hook_signed(body, SECRET, guid="a" * 32, timestamp=17)
    assert service_hook["X-ServiceHook-Signature"] == signature


def test_an_integration_hook_has_sentrys_headers() -> None:
    """Exactly the headers that Sentry sets, and no charset in the content type."""
    assert headers_of(b"{}", "e" * 32) == {
        "User-Agent": "sentry/26.10.0 (https://sentry.io)",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Content-Type": "application/json",
        "Request-ID": "f" * 32,
        "Sentry-Hook-Resource": "issue",
        "Sentry-Hook-Timestamp": "17",
        "Sentry-Hook-Signature": hmac.new(SECRET, b"{}", "sha256").hexdigest(),
        "Idempotency-Key": "e" * 32,
    }


def test_an_older_sentry_sends_no_idempotency_key() -> None:
    """``None`` leaves the header out instead of sending an empty one."""
    assert "Idempotency-Key" not in headers_of(b"{}")
    assert "Idempotency-Key" not in legacy_headers()


def test_the_legacy_plugin_signs_nothing() -> None:
    """Neither a signature nor a resource is told."""
    request = hook_request(sample("legacy"), b"", seed=1, now=NOW)
    assert request.sender == "legacy"
    assert not [name for name in request.headers if "Hook" in name or "Signature" in name]


def test_another_attempt_has_another_request_id_and_the_same_key() -> None:
    """``Request-ID`` is new on every attempt; ``Idempotency-Key`` and body stay."""
    first, second = (
        hook_request(sample("issue.created"), SECRET, seed=1, now=NOW, attempt=attempt) for attempt in (1, 2)
    )
    assert first.headers["Request-ID"] != second.headers["Request-ID"]
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


def test_another_seed_has_another_idempotency_key() -> None:
    """Two hooks are two hooks to whoever goes by the key."""
    keys = {
        hook_request(sample(name), SECRET, seed=seed, now=NOW).headers["Idempotency-Key"]
        for name in ("issue.created", "issue.resolved", "legacy")
        for seed in range(3)
    }
    assert len(keys) == 9


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (202, "success"),
        (307, "would be lost"),
        (401, "never retries"),
        (429, "never retries"),
        (500, "published one tries twice more"),
        (502, "published one tries twice more"),
        (503, "does not retry"),
        (504, "does not retry"),
        (TIMED_OUT, "published one tries twice more"),
        (CONNECTION_FAILED, "published one tries twice more"),
    ],
)
def test_the_verdict_on_an_answer_is_sentrys(status: int, words: str) -> None:
    """Each kind of answer has the consequence that Sentry's task code gives it."""
    assert words in verdict(Answer(status, b"", 0.1))


@pytest.mark.parametrize("status", [404, 500, 503, TIMED_OUT])
def test_the_other_senders_retry_nothing(status: int) -> None:
    """Neither legacy plugin nor service hook looks after a refused hook."""
    assert "lost" in verdict(Answer(status, b"", 0.1), "legacy")
    assert "not looked at" in verdict(Answer(status, b"", 0.1), "service_hook")
