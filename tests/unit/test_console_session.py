"""Who is signed in, and where a request comes from: pure decisions of the console."""

import pytest

from app.console.origin import is_from_elsewhere, is_own, is_secure
from app.console.session import IDLE_S, LIFE_S, Person, Sessions, cookie, cookie_of

NOW = 1_700_000_000.0
ADA = Person("ada", NOW, NOW)


@pytest.mark.parametrize(
    ("began", "seen", "valid"),
    [
        (0, 0, True),
        (-LIFE_S, 0, True),
        (-LIFE_S - 1, 0, False),
        (-IDLE_S, -IDLE_S, True),
        (-IDLE_S - 1, -IDLE_S - 1, False),
        (3_600, 3_600, False),
    ],
)
def test_a_session_ends_by_age_and_by_idleness(began: float, seen: float, *, valid: bool) -> None:
    """Twelve hours whatever is done, two hours without doing anything; none from the future."""
    sessions = Sessions(b"a-token")
    written = sessions.write(Person("ada", NOW + began, NOW + seen))
    assert (sessions.read(written, now=NOW) is not None) is valid


def test_another_token_signs_everybody_out_and_every_replica_has_the_same_key() -> None:
    """The key is derived from the token alone."""
    written = Sessions(b"a-token").write(ADA)
    assert Sessions(b"a-token").read(written, now=NOW) == ADA
    assert Sessions(b"another").read(written, now=NOW) is None


@pytest.mark.parametrize("forged", ["", "x", "WyJhZGEiLDEsMV0.x", Sessions(b"a-token").write(ADA)[:-1] + "_"])
def test_what_we_did_not_write_is_nobody(forged: str) -> None:
    """Whatever is wrong with it."""
    assert Sessions(b"a-token").read(forged, now=NOW) is None


def test_the_cookie_is_for_this_host_and_no_script() -> None:
    """On https under a name that a browser takes only with Secure; on plain http such a cookie would be dropped."""
    assert cookie("v", secure=True).startswith("__Host-relay=v; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=")
    assert "Secure" not in cookie("v", secure=False)
    assert "Max-Age=0" in cookie("", secure=False)
    assert cookie_of("a=b; __Host-relay=x; relay=y") == ("x", True)
    assert cookie_of("relay=y") == ("y", False)
    assert cookie_of("") == ("", False)


@pytest.mark.parametrize(
    ("method", "headers", "own"),
    [
        ("GET", {"sec-fetch-site": "cross-site"}, True),
        ("POST", {"sec-fetch-site": "same-origin"}, True),
        ("POST", {"sec-fetch-site": "cross-site"}, False),
        ("POST", {"sec-fetch-site": "same-site"}, False),
        ("POST", {"sec-fetch-site": "none"}, False),
        ("POST", {"origin": "http://relay.internal:8080", "host": "relay.internal:8080"}, True),
        ("POST", {"origin": "http://evil.example", "host": "relay.internal:8080"}, False),
        ("POST", {"origin": "null", "host": "relay.internal:8080"}, False),
        ("POST", {"host": "relay.internal:8080"}, False),
        ("POST", {"origin": "http://", "host": ""}, False),
        ("DELETE", {}, False),
    ],
)
def test_only_our_own_pages_change_anything(method: str, headers: dict[str, str], *, own: bool) -> None:
    """By what the browser says of where the request comes from; saying nothing is not enough."""
    assert is_own(method, headers) is own


def test_a_link_of_another_site_and_https_are_told_by_headers() -> None:
    """So that a deep link arrives, and the cookie gets its flag behind any proxy."""
    assert is_from_elsewhere({"sec-fetch-site": "cross-site"})
    assert not is_from_elsewhere({"sec-fetch-site": "none"})
    assert is_secure({"origin": "https://relay.example"})
    assert not is_secure({"origin": "http://relay.example"})
