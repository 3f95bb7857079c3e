"""Channels, and whose indexer their cookies lead to; and the TLS contexts that posts go over."""

import ssl

import httpx
import pytest

from app.model import Secret
from app.splunk.channel import IDLE_S, Channel
from app.splunk.tls import TlsContexts, UnusableFileError
from app.tenants.model import Tls

BROKEN = Secret("file:x.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
NONE = Secret("file:x.pem", b"nothing of the kind")
PIN = frozenset({"ab" * 32})


def leads_to(channel: Channel, indexer: str) -> bool:
    """An answer with the cookie of this indexer (none: without one) came: whether it is somebody else's."""
    before = channel.held()
    if indexer:
        httpx.Cookies(channel.jar).set("AWSALB", indexer, domain="splunk.example")
    return channel.moved(before)


@pytest.mark.parametrize(
    ("answers", "moved"),
    [
        (["a", "a", "a"], [False, False, False]),
        (["a", "b", "b"], [False, True, False]),
        (["", "", ""], [False, False, False]),
        (["", "a"], [False, True]),
        (["a", "", "a"], [False, False, False]),
    ],
    ids=["sticky", "led elsewhere", "no cookies", "a first cookie late", "said once"],
)
def test_another_cookie_is_another_indexer(answers: list[str], moved: list[bool]) -> None:
    """The first answer says who it is, and no other one before it did."""
    channel = Channel()
    assert [leads_to(channel, indexer) for indexer in answers] == moved


def test_a_new_channel_leads_where_the_old_one_led() -> None:
    """Another GUID, the same cookies; it is fresh, so not idle."""
    channel = Channel()
    leads_to(channel, "a")
    fresh = channel.renewed()
    assert (fresh.guid != channel.guid, fresh.held() == channel.held(), fresh.answered) == (True, True, True)
    assert leads_to(fresh, "b")
    assert not fresh.is_idle
    fresh.used_at -= IDLE_S
    assert fresh.is_idle


@pytest.mark.parametrize(
    ("tls", "mode", "checks_name", "pinned"),
    [
        (Tls(), ssl.CERT_REQUIRED, True, False),
        (Tls(server_name="other"), ssl.CERT_REQUIRED, True, False),
        (Tls(verify=False), ssl.CERT_NONE, False, False),
        (Tls(pin_sha256=PIN), ssl.CERT_NONE, False, True),
    ],
    ids=["default", "another name", "verify off", "a pin alone"],
)
async def test_a_context_checks_what_the_tenants_file_says(
    tls: Tls,
    mode: ssl.VerifyMode,
    checks_name: bool,  # noqa: FBT001  a column of a table
    pinned: bool,  # noqa: FBT001  a column of a table
) -> None:
    """Verified unless somebody said otherwise; a pin stands in its place only by a class of its own."""
    contexts = TlsContexts(age_max_s=60)
    context = await contexts.get(tls)
    assert (context.verify_mode, context.check_hostname) == (mode, checks_name)
    assert (context.sslobject_class is not ssl.SSLObject) == pinned
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert await contexts.get(tls) is context
    assert await TlsContexts(age_max_s=0).get(tls) is not context


@pytest.mark.parametrize(
    ("tls", "what"),
    [
        (Tls(ca_file=BROKEN), "the CA file"),
        (Tls(ca_file=NONE), "the CA file"),
        (Tls(client_cert=BROKEN, client_key=BROKEN), "the client certificate or its key"),
        (Tls(client_cert=NONE, client_key=NONE), "the client certificate or its key"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named(tls: Tls, what: str) -> None:
    """Which it is, and OpenSSL's word for why; never what is in it."""
    with pytest.raises(UnusableFileError, match=f"^{what} cannot be used: ") as told:
        await TlsContexts(age_max_s=60).get(tls)
    assert "AAAA" not in str(told.value)
