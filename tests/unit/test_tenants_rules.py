"""What a single value of the tenants file may be."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tenants.file import rules


@pytest.mark.parametrize(
    ("given_url", "base"),
    [
        ("https://http-inputs-acme.splunkcloud.com", "https://http-inputs-acme.splunkcloud.com"),
        ("https://splunk.example:8088/", "https://splunk.example:8088"),
        ("HTTPS://Splunk.Example:8088/services/collector", "https://splunk.example:8088"),
        ("https://splunk.example/services/collector/event/1.0/", "https://splunk.example"),
        ("https://splunk.example/services/collector/raw", "https://splunk.example"),
        ("https://proxy.example/hec/services/collector/event", "https://proxy.example/hec"),
        ("https://proxy.example/Hec//", "https://proxy.example/Hec"),
        ("http://127.0.0.1:8088", "http://127.0.0.1:8088"),
        ("https://[::1]:8088/services/collector/", "https://[::1]:8088"),
        ("https://splunk.example:", "https://splunk.example"),
    ],
)
def test_a_hec_url_is_taken_with_or_without_the_collector_path(given_url: str, base: str) -> None:
    """All spellings of one HEC come out as its base URL, and that comes out as itself."""
    assert rules.hec_url(given_url) == base
    assert rules.hec_url(base) == base


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("splunk.example:8088", "must begin with https://"),
        ("ftp://splunk.example", "must begin with https://"),
        ("", "must begin with https://"),
        ("https://relay:hunter2@splunk.example", "user or password"),
        ("https://splunk.example?token=hunter2", "query"),
        ("https://splunk.example/#hunter2", "fragment"),
        ("https://", "characters"),
        ("https://:8088", "no host"),
        ("https://splunk.example:0", "no host"),
        ("https://splunk.example:70000", "port"),
        ("https://splunk.example:hec", "port"),
        ("https://[::1", "brackets"),
        ("https://splunk example", "characters"),
        ("https://splunk.example\n", "characters"),
        ("https://spl\u00fcnk.example", "characters"),
        ("https://splunk%2eexample", "characters"),
        ("https://-splunk.example", "no host"),
        ("https://a:b:c", "port"),
    ],
)
def test_a_url_that_would_leak_or_miss_is_refused_without_repeating_it(url: str, words: str) -> None:
    """Query, fragment, user-info and what is no URL; a URL may hold a password."""
    with pytest.raises(ValueError, match=re.escape(words)) as refused:
        rules.hec_url(url)
    assert "hunter2" not in str(refused.value)


@given(st.text())
def test_any_text_is_a_hec_url_or_refused(text: str) -> None:
    """No other exception, and what is taken is taken again as it came out."""
    try:
        base = rules.hec_url("https://" + text)
    except ValueError:
        return
    assert rules.hec_url(base) == base


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (rules.name, ["acme", "a", "0-a_b", "a" * 63], ["", "A", "-a", "_a", "a.b", "a/b", "a" * 64, "a\n", "é"]),
        (
            rules.reference,
            ["env:A_B1", "env:_x", "file:/run/x", "file:secrets/x y"],
            ["", "hunter2", "env:", "env:1A", "env:A-B", "file:", "vault:x", "ENV:A", "env:A\n", "file:a\x00"],
        ),
        (rules.index, ["main", "sentry_prod", "a-1"], ["", "Main", "_internal", "-a", "a b", "kvstore1", "a*"]),
        (rules.sourcetype, ["sentry:issue", "a.b-c_d"], ["", "a::b", "a b", "a/b", "a<b", "[a]", ":a", "a?"]),
        (rules.text_line, ["a b", "é"], ["", " a", "a\nb", "a\x00", "a" * 256]),
        (rules.server_name, ["SplunkServerDefaultCert", "a.b"], ["", "a b", "https://a", "-a"]),
    ],
)
def test_a_value_is_taken_whole_or_refused(rule: Callable[[str], str], good: list[str], bad: list[str]) -> None:
    """What is good comes back unchanged."""
    assert [rule(each) for each in good] == good
    for each in bad:
        with pytest.raises(ValueError, match="must be") as refused:
            rule(each)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["7A485448-A9E2-4C85-8A3C-4F44175783C9", "7a485448a9e24c858a3c4f44175783c9"])
def test_an_installation_comes_out_in_lower_case_with_hyphens(text: str) -> None:
    """As Sentry sends it."""
    assert rules.installation(text) == "7a485448-a9e2-4c85-8a3c-4f44175783c9"
    with pytest.raises(ValueError, match="UUID"):
        rules.installation(text + "0")


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (
            rules.client_secret,
            [b"abc", b"a b"],
            [b"", b"  ", b"a\nb", b"a\x00", b" a", b"a\t", b'"a"', b"'a'", b"\xef\xbb\xbfa"],
        ),
        (rules.legacy_key, [b"0123456789abcdef"], [b"", b"short", b"0123456789abcde/", b"0123456789abcdef?"]),
        (rules.hec_token, [b"abcd1234", b"B5A79AAD-D822-46CC-80D1-819F80D7BFB0"], [b"", b"a b", b"a\n", b"\xc3\xa9"]),
        (rules.certificates, [b"x\n-----BEGIN CERTIFICATE-----\ny"], [b"", b"hunter2"]),
    ],
)
def test_a_secret_is_fit_for_its_use_or_refused(
    rule: Callable[[bytes], bytes], good: list[bytes], bad: list[bytes]
) -> None:
    """An empty client secret would let anybody sign, a badly copied one nobody; an odd hec_token breaks the header."""
    assert [rule(each) for each in good] == good
    for each in bad:
        with pytest.raises(ValueError, match=r"is empty|more than one line|must be|holds no|in quotes|white space"):
            rule(each)
