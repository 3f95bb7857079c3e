"""Verification: Sentry's own vectors, and what an id is derived from."""

import hmac

import pytest

from app.errors import BadSignature
from app.model import Hook, Secret
from app.sentry.signature import Headers, Receipt, installation_of, read_headers, recognise, verify, verify_shared

KEY = Secret("env:KEY", b"abc123")
OTHER = Secret("env:OTHER", b"zyx987")
FIRST, SECOND = Receipt(1.0, b"1"), Receipt(2.0, b"2")
BODY = b'{"issue":123456}'
SIGNATURE = b"0e2041f59516f3d4507b22216f2e0050931692c1ae71c4207d38d79781963dfa"
OF_NOTHING = b"6d2d9fc610337f813a1b85869ec214129940860543ad04308d87357f6c0133f6"


def _verified(
    body: bytes = BODY,
    *,
    tenant: str = "acme",
    secrets: tuple[Secret, ...] = (KEY,),
    receipt: Receipt = FIRST,
    **said: str,
) -> Hook:
    headers = Headers(signature=hmac.digest(secrets[0].value, body, "sha256").hex().encode(), signatures=1)
    for name, text in said.items():
        setattr(headers, name, text)
    return verify(body, headers, secrets, tenant=tenant, receipt=receipt)


def _sign(body: bytes) -> bytes:
    return hmac.digest(KEY.value, body, "sha256").hex().encode()


@pytest.mark.parametrize(("body", "signature"), [(BODY, SIGNATURE), (b"", OF_NOTHING)])
def test_the_published_vectors_verify(body: bytes, signature: bytes) -> None:
    """Key abc123, as published by Sentry; the empty body is what select requests sign."""
    hook = verify(body, Headers(signature=signature, signatures=1), [OTHER, KEY], tenant="acme", receipt=FIRST)
    assert (hook.payload, hook.verified_with, hook.sender) == (body, "env:KEY", "integration")


@pytest.mark.parametrize("signature", [b"", SIGNATURE[:-1], SIGNATURE.upper(), SIGNATURE + b"0", b"\xff" * 64])
def test_anything_else_does_not(signature: bytes) -> None:
    """One byte off is off."""
    with pytest.raises(BadSignature):
        verify(BODY, Headers(signature=signature, signatures=1), [KEY], tenant="acme", receipt=FIRST)


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


def test_the_id_follows_the_idempotency_key() -> None:
    """The same on every worker and resend, whatever differs between two attempts."""
    first = _verified(idempotency_key="k", request_id="r", sent_at="1")
    again = _verified(b"{}", idempotency_key="k", receipt=SECOND)
    assert (first.delivery_id, first.key_digest) == (again.delivery_id, again.key_digest)
    assert first.delivery_id != _verified(idempotency_key="l").delivery_id
    assert not first.resendable


def test_without_a_key_every_post_has_an_id_of_its_own_and_its_bytes_are_known() -> None:
    """Whether it is a resend is for the spool to say, which knows what was answered."""
    first, again = _verified(), _verified(receipt=SECOND)
    assert first.delivery_id != again.delivery_id
    assert len(first.delivery_id) == len(again.delivery_id) == 32
    assert first.body_digest == again.body_digest != _verified(b"{}").body_digest
    assert first.body_digest == _verified(idempotency_key="k").body_digest
    assert (first.key_digest, first.resendable) == (b"", True)


def test_ids_of_two_tenants_never_meet() -> None:
    """Tenant and key are told apart, however they are spelt."""
    assert _verified(tenant="a").delivery_id != _verified(tenant="b").delivery_id
    assert (
        _verified(tenant="a", idempotency_key="bc").delivery_id
        != _verified(tenant="ab", idempotency_key="c").delivery_id
    )


def test_doors_share_no_keys() -> None:
    """An unsigned post to the legacy door claims no key of the signed one, nor one tenant's of another's."""
    body = b'{"installation":{"uuid":"acme"}}'
    headers = Headers(signature=_sign(body), signatures=1, idempotency_key="k")
    signed = verify(body, headers, [KEY], tenant="acme", receipt=FIRST)
    shared = verify_shared(body, headers, [KEY], tenant_of=lambda _: "acme", receipt=FIRST)
    legacy = recognise(body, Headers(idempotency_key="k"), KEY, tenant="acme", receipt=FIRST)
    hooks = (signed, shared, legacy)
    assert len({hook.key_digest for hook in hooks}) == 3
    assert len({hook.delivery_id for hook in hooks}) == 3
    assert len({hook.body_digest for hook in hooks}) == 3


def test_a_shared_hooks_id_is_the_same_before_and_after_its_tenant_is_known() -> None:
    """Derived from the installation."""
    body = b'{"installation":{"uuid":"ABC-1"}}'
    headers = Headers(signature=_sign(body), signatures=1, idempotency_key="k")
    parked = verify_shared(body, headers, [KEY], tenant_of=lambda _: "", receipt=FIRST)
    claimed = verify_shared(body, headers, [KEY], tenant_of={"abc-1": "acme"}.__getitem__, receipt=SECOND)
    assert (parked.tenant, claimed.tenant) == ("", "acme")
    assert parked.delivery_id == claimed.delivery_id
    assert parked.body_digest == claimed.body_digest


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"installation":1}', b'{"installation":{"uuid":"\\ud800"}}', b"[" * 100_000]
)
def test_a_body_without_an_installation_has_none(body: bytes) -> None:
    """Whatever it is; nothing raises."""
    assert installation_of(body) == ""


def test_a_body_that_only_the_slower_reader_takes_still_names_its_installation() -> None:
    """A lone surrogate elsewhere must not park the hook."""
    assert installation_of(b'{"installation":{"uuid":"u-1"},"x":"\\ud800"}') == "u-1"


def test_a_legacy_hook_has_the_digest_of_its_body_for_a_signature() -> None:
    """Unsigned; and its senders never post the same again, so that no post is taken for another."""
    one, again, other = (
        recognise(body, Headers(), KEY, tenant="acme", receipt=receipt)
        for body, receipt in ((b"1", FIRST), (b"1", SECOND), (b"2", FIRST))
    )
    assert one.body_digest == again.body_digest != other.body_digest
    assert len({hook.delivery_id for hook in (one, again, other)}) == 3
    assert (one.sender, one.resendable) == ("legacy", False)


def test_a_secret_shows_its_name_only() -> None:
    """In every way a value gets into a log line or a traceback."""
    assert "abc123" not in f"{KEY} {KEY!r} {KEY!s} {[KEY]} {(KEY,)!r}"
