"""What is kept of refusals, how many lines they get, and where a hook should have gone."""

import pytest

from app.errors import BadSignature, UnknownTenant
from app.ingest.refusals import (
    ALL_AT_ONCE_MAX,
    KINDS_MAX,
    LINES_AT_ONCE_MAX,
    OMITTED_KINDS_MAX,
    SAMPLES_MAX,
    Kind,
    LineQuota,
    RefusalMemory,
    RefusedRequest,
    kind_of,
)
from app.ingest.routes import right_path, shown_path

KIND = Kind("bad_signature", "no_secret_matches", "acme")


def refused(kind: Kind, at: float) -> RefusedRequest:
    """A refusal at that time."""
    return RefusedRequest(at=at, kind=kind, status=401, path="/sentry/acme", peer="::1", client="::1", facts={})


def test_a_kind_gets_some_lines_at_once_and_then_one_a_second() -> None:
    """The next line says how many were left out."""
    quota = LineQuota()
    assert [quota.take(KIND, 0.0) for _ in range(LINES_AT_ONCE_MAX)] == [0] * LINES_AT_ONCE_MAX
    assert [quota.take(KIND, 0.5) for _ in range(3)] == [None] * 3
    assert quota.take(KIND._replace(tenant="globex"), 0.5) == 0
    assert quota.take(KIND, 1.0) == 3
    assert quota.take(KIND, 1.1) is None
    assert quota.omitted() == {KIND: 1}
    assert quota.omitted() == {}


def test_many_kinds_together_are_bounded_too() -> None:
    """Ten thousand tenants are no ten thousand times as many lines, nor as many sentences about what was left out."""
    quota = LineQuota()
    kinds = [KIND._replace(tenant=str(number)) for number in range(10_000)]
    written = sum(quota.take(kind, 0.0) is not None for kind in kinds)
    assert written == ALL_AT_ONCE_MAX
    omitted = quota.omitted()
    assert sum(omitted.values()) == len(kinds) - written
    assert len(omitted) <= OMITTED_KINDS_MAX + 1


def test_a_tenant_that_was_made_up_is_no_kind_of_its_own() -> None:
    """Whoever makes up names would fill whatever is kept by name."""
    assert kind_of(UnknownTenant("no_such_tenant", tenant="x")).tenant == ""
    assert kind_of(UnknownTenant("no_such_legacy_key", tenant="acme")).tenant == "acme"
    assert kind_of(BadSignature("missing_header")) == Kind("bad_signature", "missing_header", "")


def test_refusals_are_kept_by_kind_the_latest_first() -> None:
    """How many, since when, and some of them; the memory is bounded in kinds and samples."""
    memory = RefusalMemory()
    for number in range(100):
        memory.refused(refused(KIND, float(number)))
    memory.refused(refused(KIND._replace(tenant="globex"), 100.0))
    (latest, _), (kind, total) = memory.totals()
    assert (latest.tenant, kind) == ("globex", KIND)
    assert (total.count, total.first_at, total.last_at) == (100, 0.0, 99.0)
    assert [sample.at for sample in total.samples] == [float(at) for at in range(100 - SAMPLES_MAX, 100)]
    for number in range(2 * KINDS_MAX):
        memory.refused(refused(KIND._replace(tenant=str(number)), 200.0))
    assert len(memory.totals()) == KINDS_MAX


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/hooks/sentry/acme", "/sentry/acme"),
        ("//sentry/acme", "/sentry/acme"),
        ("/sentry//acme", "/sentry/acme"),
        ("/Sentry/Acme", "/sentry/acme"),
        ("/SENTRY/nobody/", "/sentry/nobody"),
        ("/sentry/acme/extra", "/sentry/acme"),
        ("/hooks/sentry", "/sentry/TENANT"),
        ("/webhook", "/sentry/TENANT"),
        ("/", "/sentry/TENANT"),
        ("/hooks/sentry/acme/legacy/the-key", "/sentry/acme/legacy/…"),
        ("/hooks/sentry/acme/Legacy/the-key", "/sentry/acme/legacy/…"),
    ],
)
def test_the_path_that_a_hook_should_have(path: str, right: str) -> None:
    """As far as it can be told; a legacy key is never in it."""
    assert right_path(path, {"acme": 1}) == right


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/sentry/acme", "/sentry/acme"),
        ("/sentry/acme/legacy/the-key", "/sentry/acme/…"),
        ("/hooks/sentry/acme/legacy/the-key", "/hooks/sentry/acme/…"),
        ("/a/b/the-key", "/a/b/…"),
        ("/" + "a" * 1_000, "/" + "a" * 127),
        ("", ""),
    ],
)
def test_a_path_in_the_log_holds_no_legacy_key(path: str, shown: str) -> None:
    """Right or wrong, at the right path or a wrong one; and it is bounded."""
    assert shown_path(path) == shown
