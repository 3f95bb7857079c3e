"""Verification: Sentry's own vectors, and what an id is derived from."""

import hmac

import pytest

from app.errors import BadSignature
from app.model import Hook, Secret
from app.sentry.signature import Headers, installation_of, read_headers, recognise, verify, verify_shared

KEY = Secret("env:KEY", b"abc123")
OTHER = Secret("env:OTHER", b"zyx987")
BODY = b'{"issue":123456}'
SIGNATURE = b"0e2041f59516f3d4507b22216f2e0050931692c1ae71c4207d38d79781963dfa"
OF_NOTHING = b"6d2d9fc610337f813a1b85869ec214129940860543ad04308d87357f6c0133f6"


def _verified(body: bytes = BODY, *, tenant: str = "acme", secrets: tuple[Secret, ...] = (KEY,), **said: str) -> Hook:
    signature = hmac.digest(secrets[0].value, body, "sha256").hex().encode()
    headers = Headers(signature=signature, signatures=1)
    for name, text in said.items():
        setattr(headers, name, text)
    return verify(body, headers, secrets, tenant=tenant, received_at=1.0)


@pytest.mark.parametrize(("body", "signature"), [(BODY, SIGNATURE), (b"", OF_NOTHING)])
def test_the_published_vectors_verify(body: bytes, signature: bytes) -> None:
    """Key abc123, as published by Sentry; the empty body is what select requests sign."""
    hook = verify(body, Headers(signature=signature, signatures=1), [OTHER, KEY], tenant="acme", received_at=1.0)
    assert (hook.payload, hook.verified_with, hook.sender) == (body, "env:KEY", "integration")


@pytest.mark.parametrize("signature", [b"", SIGNATURE[:-1], SIGNATURE.upper(), SIGNATURE + b"0", b"\xff" * 64])
def test_anything_else_does_not(signature: bytes) -> None:
    """One byte off is off."""
    with pytest.raises(BadSignature):
        verify(BODY, Headers(signature=signature, signatures=1), [KEY], tenant="acme", received_at=1.0)


def test_headers_are_read_by_name_cut_and_counted() -> None:
    """Sentry's three naming schemes; a second signature header is noticed, not merged."""
    headers = read_headers(
        [
            (b"sentry-hook-signature", b"a"),
            (b"x-servicehook-signature", b"b"),
            (b"sentry-hook-resource", b"issue"),
            (b"request-id", b"r" * 1000),
            (b"host", b"h"),
        ]
    )
    assert (headers.signature, headers.service_hook_signature, headers.signatures) == (b"a", b"b", 2)
    assert (headers.resource, len(headers.request_id)) == ("issue", 256)


def test_the_id_follows_the_idempotency_key_and_else_the_signature() -> None:
    """The same on every worker and resend, whatever differs between two attempts."""
    assert _verified().delivery_id == _verified(request_id="other", sent_at="2").delivery_id
    assert _verified(idempotency_key="k").delivery_id == _verified(b"{}", idempotency_key="k").delivery_id
    assert _verified(idempotency_key="k").delivery_id != _verified().delivery_id
    assert len(_verified().delivery_id) == 32


def test_ids_of_two_tenants_never_meet() -> None:
    """Tenant and key are told apart, however they are spelt."""
    assert _verified(tenant="a").delivery_id != _verified(tenant="b").delivery_id
    assert (
        _verified(tenant="a", idempotency_key="bc").delivery_id
        != _verified(tenant="ab", idempotency_key="c").delivery_id
    )


def test_a_replay_under_another_key_shares_a_dedup_key_with_the_first() -> None:
    """The signature is the one thing about a captured hook that cannot be made up."""
    first, replay = _verified(idempotency_key="k1"), _verified(idempotency_key="k2")
    assert set(first.dedup_keys) & set(replay.dedup_keys)
    assert not set(first.dedup_keys) & set(_verified(b"{}", idempotency_key="k3").dedup_keys)


def test_a_shared_hooks_id_is_the_same_before_and_after_its_tenant_is_known() -> None:
    """Derived from the installation."""
    body = b'{"installation":{"uuid":"ABC-1"}}'
    headers = Headers(signature=hmac.digest(b"abc123", body, "sha256").hex().encode(), signatures=1)
    parked = verify_shared(body, headers, [KEY], tenant_of=lambda _: "", received_at=1.0)
    claimed = verify_shared(body, headers, [KEY], tenant_of={"abc-1": "acme"}.__getitem__, received_at=2.0)
    assert (parked.tenant, claimed.tenant) == ("", "acme")
    assert parked.delivery_id == claimed.delivery_id


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"installation":1}', b'{"installation":{"uuid":"\\ud800"}}', b"[" * 100_000]
)
def test_a_body_without_an_installation_has_none(body: bytes) -> None:
    """Whatever it is; nothing raises."""
    assert installation_of(body) == ""


def test_a_body_that_only_the_slower_reader_takes_still_names_its_installation() -> None:
    """A lone surrogate elsewhere must not park the hook."""
    assert installation_of(b'{"installation":{"uuid":"u-1"},"x":"\\ud800"}') == "u-1"


def test_a_legacy_hook_is_known_by_its_body() -> None:
    """Unsigned: the digest of the body stands in for the signature."""
    one, two = (recognise(each, Headers(), KEY, tenant="acme", received_at=1.0) for each in (b"1", b"2"))
    assert one.delivery_id != two.delivery_id
    assert one.sender == "legacy"


def test_a_secret_shows_its_name_only() -> None:
    """In every way a value gets into a log line or a traceback."""
    assert "abc123" not in f"{KEY} {KEY!r} {KEY!s} {[KEY]} {(KEY,)!r}"
