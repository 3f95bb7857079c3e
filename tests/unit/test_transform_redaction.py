"""Credentials stay behind, wherever they stand."""

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import Hook
from app.splunk.encode import encode
from app.splunk.hec_event import HecEvent
from app.tenants.model import Destination
from app.tenants.privacy import Privacy
from app.transform import transform
from app.transform.personal import Standing
from app.transform.redaction import Redaction
from app.transform.scrubbing import scrub
from app.transform.secret_names import secret_name
from app.transform.suspicion import suspicious

SECRET = "hunter2hunter2"
STANDING = Standing(Privacy())
REDACTION = Redaction(Privacy())
DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")


def _event(payload: bytes, resource: str) -> HecEvent:
    made = transform(Hook(delivery_id="ab" * 16, tenant="acme", resource=resource, payload=payload), DESTINATION)
    assert isinstance(made, HecEvent)
    return made


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "access_token",
        "installUrl",
        "DB_PASSWORD",
        "client-secret",
        "jwt",
    ],
)
def test_names_of_credentials_are_known_however_spelled(name: str) -> None:
    """Case and separators do not matter."""
    assert secret_name(name)


@pytest.mark.parametrize("name", ["", "code", "author", "tokens", "key", "user_id", "ssid", "keyboard", "x-request-id"])
def test_names_of_other_things_are_left(name: str) -> None:
    """What is taken for a secret is lost to the search."""
    assert not secret_name(name)


@pytest.mark.parametrize(
    "value",
    [
        {"cookies": [["a", SECRET]]},
        {"headers": [["Authorization", SECRET], ["X-Api-Key", SECRET]]},
        {"headers": {"Set-Cookie": SECRET}},
        {"query_string": [["api_key", SECRET], ["code", SECRET + "1234"]]},
        {"settings": [{"name": "auth_token", "value": SECRET}]},
        {"installation": {"code": SECRET}},
        {"installations": [{"code": SECRET}]},
        {"code": "0123456789abcdef0123456789abcdef" + SECRET},
        {"text": f"https://x.example/?a=1&token={SECRET}#x"},
        {"text": f"https://user:{SECRET}@x.example/"},
        {"text": f"curl -H 'Authorization: Bearer {SECRET}'"},
        {"text": f"Bearer {SECRET}"},
        {"text": f'sent {{"password": "{SECRET}"}}'},
        {"text": f"X-Api-Key: {SECRET}"},
        {f"https://x/?token={SECRET}": 1},
        [[[{"a": {"secret": {"deep": SECRET}}}]]],
    ],
)
def test_credentials_are_taken_out_at_any_depth(value: object) -> None:
    """By key, by pair, by name and value, and inside text; the quick look sees each of them too."""
    assert SECRET not in orjson.dumps(REDACTION.redact(value)).decode()


@pytest.mark.parametrize(
    "value",
    [
        {"query_string": f"api_key={SECRET}"},
        {"Set-Cookie": SECRET},
        {"text": f"https://user:{SECRET}@x.example/"},
        {"text": f"https://{SECRET}{SECRET}@x.example/"},
        {"text": f"https://user:{SECRET}…"},
        {"text": f"Bearer {SECRET}"},
        {"text": f'sent {{"password" : "{SECRET}"}}'},
        {"text": f'sent {{"password"\n: "{SECRET}"}}'},
        {"text": f'sent {{\\"api\\u005fkey\\": \\"{SECRET}\\"}}'},
        {"text": f"X-Api-Key: {SECRET}"},
        {"code": SECRET + "0123456789"},
        {"user.email": "ada@example.org"},
        {"client_ip": "203.0.113.9"},
        {"text": "X-Forwarded-For: 203.0.113.9"},
        {"text": "?ip=203.0.113.9&x=1"},
    ],
)
def test_the_quick_look_sees_what_the_closer_one_takes_out(value: object) -> None:
    """What it lets pass is not looked at again."""
    assert REDACTION.redact(value) != value
    assert suspicious(orjson.dumps(value), personal=True)


def test_the_quick_look_sees_a_nul() -> None:
    """Nobody looks for one again where it lets an event pass."""
    assert suspicious(orjson.dumps({"a": "b\0c"}), personal=False)
    assert not suspicious(orjson.dumps({"a": "b\1c"}), personal=False)


@given(
    st.recursive(
        st.text(max_size=40)
        | st.sampled_from(
            ["token", "a=b", "api-key: x1", "sid=1", "e-mail: a@b.c", "ip=1.2.3.4", "user_ip", "://a:b@c"]
        ),
        lambda inner: (
            st.dictionaries(st.text(max_size=20) | st.sampled_from(["token", "ip", "x.sid", "pass word"]), inner)
            | st.lists(inner, max_size=1)
        ),
        max_leaves=6,
    )
)
def test_what_the_quick_look_lets_pass_has_nothing_to_take_out(value: object) -> None:
    """In any JSON that views make: they leave no pairs of header and value behind."""
    if not suspicious(orjson.dumps({"x": value}), personal=True):
        assert REDACTION.redact(value) == value


@pytest.mark.parametrize(
    "text",
    [
        "SyntaxError: Unexpected token: <",
        "Basic authentication failed",
        "invalid password, try again",
        '{"code": 404, "status": "gone"}',
        '{"code": "ECONNREFUSED"}',
        "anna@example.org wrote shop@2.4.1",
        "retry=3 session.py:45 in send",
        "SELECT * FROM orders WHERE orders.id=5",
    ],
)
def test_text_that_only_talks_of_credentials_is_left(text: str) -> None:
    """People search for these very words."""
    assert scrub(text, STANDING) == text
    assert REDACTION.redact({"text": text}) == {"text": text}


def test_what_is_absent_is_not_marked() -> None:
    """A null cookie is information; so is Sentry's own mark."""
    value = {"cookies": None, "token": "", "secret": False, "password": "[Filtered]"}
    assert REDACTION.redact(value) == value


@pytest.mark.parametrize(
    "resource", ["installation", "issue", "error", "event_alert", "metric_alert", "seer", "comment", "tide"]
)
@pytest.mark.parametrize("broken", [False, True])
def test_no_resource_lets_a_grant_or_a_download_link_pass(resource: str, *, broken: bool) -> None:
    """In the payload's usual place and in others, readable or not."""
    secrets = {"installation": {"code": SECRET, "uuid": "u"}, "installUrl": f"https://x/{SECRET}"}
    body = orjson.dumps(
        {
            "action": "created",
            "data": secrets
            | {
                "headers": [["Authorization", SECRET]],
                "set": [{"name": "token", "value": SECRET}],
                "error": secrets,
                "issue": secrets,
                "wrap": [secrets],
            },
        }
    )
    written = encode(_event(body[:-1] if broken else body, resource), delivery_id="ab" * 16)
    assert SECRET.encode() not in written


@pytest.mark.parametrize(
    "text",
    [
        '"' * 200_000,
        "\\" * 200_000 + '"',
        "a-" * 100_000,
        '"code":[' * 30_000,
        '"name":{' * 30_000,
        '"token":{"' * 30_000,
        "://:" * 50_000,
        "Bearer " * 30_000,
    ],
)
def test_no_text_is_slow_to_look_through(text: str) -> None:
    """Texts that make a backtracking pattern run for ever take a moment."""
    started = time.process_time()
    scrub(text + "token", STANDING, broken=True)
    scrub(text + "token", STANDING)
    assert time.process_time() - started < 2
