"""The keys of a destination that say how it is reached: addresses, TLS, acknowledgment."""

from typing import Any

import pytest

from app.errors import ConfigError
from app.model import Secret
from app.tenants.file.assemble import snapshot_of
from app.tenants.model import Ack, Destination, Proxy

FILES = {
    "env:PROXY": b"relay:pass:word",
    "file:ca.pem": b"-----BEGIN CERTIFICATE-----",
    "file:client.pem": b"-----BEGIN CERTIFICATE-----",
    "file:client.key": b"-----BEGIN PRIVATE KEY-----",
    "file:locked.key": b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
}
PIN = "ab" * 32


def destination(**keys: Any) -> Destination:
    """The one destination of a file with these keys."""
    splunk = {"name": "main", "hec_token": "env:HEC", "url": "https://one.example:8088", **keys}
    document = {"tenants": {"acme": {"sentry": {"client_secrets": ["env:SENTRY"]}, "splunk": [splunk]}}}
    snapshot = snapshot_of(document, resolve=lambda name: FILES.get(name, b"secret"))
    found = snapshot.destination("acme", "main")
    assert found is not None
    return found


def test_every_address_is_kept_once_in_order() -> None:
    """``url`` first, then ``urls``; either alone will do."""
    more = ["https://two.example/services/collector", "https://one.example:8088/"]
    assert destination(urls=more).urls == ("https://one.example:8088", "https://two.example")
    assert destination(urls=["https://two.example"]).url == "https://one.example:8088"
    assert destination().more_urls == ()


def test_acknowledgment_is_off_until_it_is_asked_for() -> None:
    """With times by Splunk's docs, or of one's own."""
    assert destination().ack is None
    assert destination(ack="true").ack == Ack(poll_s=5, expiry_s=300)
    assert destination(ack=True, ack_poll_s="2.5", ack_expiry_s=60).ack == Ack(poll_s=2.5, expiry_s=60)


def test_pins_are_read_as_openssl_writes_them() -> None:
    """With colons and capitals, or without."""
    shown = ":".join(["AB"] * 32)
    assert destination(tls={"pin_sha256": [shown, PIN]}).tls.pin_sha256 == {PIN}


def test_a_client_certificate_is_a_pair_of_files() -> None:
    """Named as the file names them, and held as what they hold."""
    tls = destination(tls={"client_cert": "client.pem", "client_key": "client.key"}).tls
    assert tls.files == tuple(Secret(name, FILES[name]) for name in ("file:client.pem", "file:client.key"))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(None, None), ("false", None), (True, 300), ("TRUE", 300), ("60", 60), (1, 1), ("86400", 86_400)],
)
def test_heartbeats_are_off_until_they_are_asked_for(said: object, seconds: float | None) -> None:
    """``true`` is every five minutes."""
    keys = {} if said is None else {"heartbeat": said}
    assert destination(**keys).heartbeat_s == seconds


def test_a_proxy_is_an_address_or_more() -> None:
    """Credentials by reference, and an authority of its own."""
    assert destination().proxy is None
    assert destination(proxy="HTTP://Proxy.example:3128/").proxy == Proxy(url="http://proxy.example:3128")
    keys = {"url": "https://proxy.example", "credentials": "env:PROXY", "ca_file": "ca.pem"}
    assert destination(proxy=keys).proxy == Proxy(
        url="https://proxy.example",
        credentials=Secret("env:PROXY", b"relay:pass:word"),
        ca_file=Secret("file:ca.pem", FILES["file:ca.pem"]),
    )
    assert "pass" not in repr(destination(proxy=keys))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"urls": ["http://two.example"]}, "must begin alike"),
        ({"urls": ["https://two.example?token=x"]}, "urls[0]: must not have a query"),
        ({"url": "http://one.example", "tls": {}}, "tls has nothing to hold for"),
        ({"tls": {"pin_sha256": ["abc"]}}, "pin_sha256[0]: must be the SHA-256"),
        ({"tls": {"verify": False, "pin_sha256": [PIN]}}, "nothing to hold for"),
        ({"tls": {"client_cert": "client.pem"}}, "go together"),
        ({"tls": {"client_cert": "client.pem", "client_key": "locked.key"}}, "under a password"),
        ({"tls": {"client_cert": "client.pem", "client_key": "ca.pem"}}, "holds no private key"),
        ({"heartbeat": "sometimes"}, "heartbeat: must be true, false, or 1 to 86400 seconds"),
        ({"heartbeat": 0.5}, "must be true, false"),
        ({"proxy": "socks5://proxy.example"}, "proxy.url: must begin with"),
        ({"proxy": "http://user:pass@proxy.example"}, "must not hold a user"),
        ({"proxy": "http://proxy.example/path"}, "address of a proxy alone"),
        ({"proxy": {"url": "http://proxy.example", "credentials": "env:ONE"}}, "must be USER:PASSWORD"),
        ({"proxy": {"url": "http://proxy.example", "ca_file": "ca.pem"}}, "nothing to hold for"),
        ({"proxy": {"credentials": "env:PROXY"}}, "proxy.url: is missing"),
        ({"ack": "perhaps"}, "ack: must be true or false"),
        ({"ack": True, "ack_poll_s": "soon"}, "ack_poll_s: must be a number"),
        ({"ack": True, "ack_poll_s": "600"}, "ack_poll_s: must be from 0.05 to 120 seconds"),
        ({"ack": True, "ack_expiry_s": "nan"}, "ack_expiry_s: must be from"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(keys: dict[str, Any], words: str) -> None:
    """With the place; never the value."""
    with pytest.raises(ConfigError) as told:
        destination(**keys)
    assert words in str(told.value)


def test_a_destination_needs_an_address() -> None:
    """``url`` or ``urls``."""
    splunk = {"name": "main", "hec_token": "env:HEC"}
    document = {"tenants": {"acme": {"sentry": {"client_secrets": ["env:SENTRY"]}, "splunk": [splunk]}}}
    with pytest.raises(ConfigError, match="has no url"):
        snapshot_of(document, resolve=lambda _: b"secret")
