"""Credentials stay behind, wherever they stand."""

import time
from dataclasses import replace
from typing import Literal

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
from app.transform.privacy.names import secret_name
from app.transform.privacy.personal import AddressPolicy
from app.transform.privacy.prefilter import may_contain_secret
from app.transform.privacy.redact import Redaction
from app.transform.privacy.scrub import scrub
from tests.goldens import only

SECRET = "hunter2hunter2"
STANDING = AddressPolicy(Privacy())
REDACTION = Redaction(Privacy())
DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")

BODY = "aB3dE6gH9j" * 4
"""Forty characters of a credential; put together here, so that no source holds what looks like one."""
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}\n-----END RSA PRIVATE KEY-----"
SHAPES = {
    "jwt": f"eyJ{BODY}.eyJ{BODY}.{BODY}_-x",
    "jwt without a signature": f"eyJ{BODY}.eyJ{BODY}.",
    "jwt that was cut": f"eyJ{BODY}.eyJ{BODY}…",
    **{f"GitHub {kind}": f"gh{kind}_{BODY}" for kind in "pousr"},
    "GitHub that was cut": f"ghp_{BODY[:20]}…",
    "GitHub, fine-grained": f"github_pat_{BODY}_{BODY}",
    "AWS": "AKIA" + "Z7Y6X5W4" * 2,
    "AWS, temporary": "ASIA" + "Z7Y6X5W4" * 2,
    "Slack": f"xoxb-123456789012-{BODY}",
    "Stripe": f"sk_live_{BODY}",
    "Stripe, restricted": f"rk_live_{BODY}",
    "Google": f"AIza{BODY[:34]}_",
    "Sentry, of an organization": f"sntrys_eyJ{BODY}+/=_{BODY}",
    "Sentry, of a user": f"sntryu_{BODY}",
    "GitLab": f"glpat-{BODY}",
    "OpenAI": f"sk-proj-{BODY}-{BODY}",
    "Anthropic": f"sk-ant-api03-{BODY}",
    "npm": f"npm_{BODY}",
    "PyPI": f"pypi-AgE{BODY}",
    "Vault": f"hvs.{BODY}",
    "Hugging Face": f"hf_{BODY}",
    "SendGrid": f"SG.{BODY[:22]}.{BODY}",
    "SendGrid that was cut": f"SG.{BODY[:10]}…",
    "Google, of a person": f"ya29.{BODY}",
    "Shopify": f"shpat_{'0a1b2c3d' * 4}",
    "Slack, of an app": f"xapp-1-{BODY}",
    "PEM": PEM,
    "PEM, newlines spelled out": PEM.replace("\n", "\\n"),
    "PEM that was cut": PEM[:60] + "…",
    "PEM of PGP": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{BODY}\n-----END PGP PRIVATE KEY BLOCK-----",
}
"""Credentials that are known by their look."""


def _event(payload: bytes, resource: str) -> HecEvent:
    return only(transform(Hook(delivery_id="ab" * 16, tenant="acme", resource=resource, payload=payload), DESTINATION))


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


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(
    "around",
    ["{}", "refused {}: no", "({})", "a\n{}", "a\\n{}", "a\x1f{}", "%3D{}", "\\u003d{}", "schlüssel={}", "鍵{}"],
)
def test_credentials_of_a_known_shape_are_taken_out_of_any_text(shape: str, around: str) -> None:
    """Whatever they stand under and behind, as a key too; the quick look sees them."""
    text = around.format(shape)
    before, _, behind = around.partition("{}")
    assert scrub(text, STANDING) == f"{before}[Filtered]{'' if shape == SHAPES['PEM that was cut'] else behind}"
    assert may_contain_secret(orjson.dumps({"x": text}), personal=False)
    assert BODY[:20] not in orjson.dumps(REDACTION.redact({"title": text, text: [text]})).decode()


@pytest.mark.parametrize("detail", ["none", "summary", "full"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_level_of_detail_lets_a_known_shape_pass(shape: str, detail: Literal["none", "summary", "full"]) -> None:
    """In the head, the summary, the payload and the indexed fields, cut to their length or not."""
    error = {
        "title": f"refused {shape}",
        "culprit": "x" * 150 + f" {shape}",
        "environment": shape,
        "message": f"a {shape}",
        "contexts": {"c": {"note": "x" * 170 + f" {shape}"}},
        "extra": [shape],
    }
    payload = orjson.dumps({"action": "created", "data": {"error": error}})
    for body in (payload, payload[:-1]):
        hook = Hook(delivery_id="ab" * 16, tenant="acme", resource="error", payload=body)
        made = only(transform(hook, replace(DESTINATION, detail=detail)))
        assert isinstance(made, HecEvent)
        assert BODY[:6] not in encode(made, delivery_id="ab" * 16).decode()
        assert shape not in str(made.event)


@pytest.mark.parametrize(
    "text",
    [
        f"highp_{BODY}",
        f"weighs_{BODY}",
        f"keyJ{BODY}.{BODY}.{BODY}",
        f"a.eyJ{BODY}.",
        f"eyJ{BODY}",
        "eyJs.on.py",
        "TAKIA" + "Z7Y6X5W4" * 2,
        "AKIA" + "Z7Y6X5W4" * 3,
        "AKIA and ASIA",
        "ghp_short",
        f"sk_test_{BODY}",
        "task_live_2",
        "xoxo-1",
        f"AIza{BODY}",
        "sntrys_",
        f"task-ant-{BODY}",
        "npm_config_registry_of_the_whole_company",
        "SG.short",
        "hf_hub_download_of_a_model_by_its_name",
        "-----BEGIN CERTIFICATE-----\nMIIB",
        "-----BEGIN PUBLIC KEY-----\nMIIB",
    ],
)
def test_what_only_resembles_a_known_shape_is_left(text: str) -> None:
    """In the middle of a longer word, too short, or public."""
    assert scrub(text, STANDING) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"login failed, password: {SECRET}", "login failed, password: [Filtered]"),
        (f"Token:  {SECRET} refused", "Token:  [Filtered] refused"),
        (f"DB_PASSWORD : {SECRET}\nport: 5432", "DB_PASSWORD : [Filtered]\nport: 5432"),
        (f"secret: '{SECRET}'", "secret: '[Filtered]'"),
        (f'api_key: \\"{SECRET}\\"', 'api_key: \\"[Filtered]\\"'),
        (f"API key: {SECRET}", "API key: [Filtered]"),
        (f"error: password: {SECRET}", "error: password: [Filtered]"),
        (f"secret : {SECRET}\\foo", "secret : [Filtered]"),
        (f"GET url=https://x.example/?token={SECRET}", "GET url=https://x.example/?token=[Filtered]"),
        (f"next=/a?sig={SECRET}12", "next=/a?sig=[Filtered]"),
        (f"token={SECRET * 50} a=1", "token=[Filtered] a=1"),
        (f"Content-Type: a, X-Api-Key: {SECRET}", "Content-Type: a, X-Api-Key: [Filtered]"),
        (f"https://x.example/a?x=1&sig={SECRET}%2B1", "https://x.example/a?x=1&sig=[Filtered]"),
        (f"/a?key={SECRET}12#b", "/a?key=[Filtered]#b"),
        (f"/a?x=1&amp;KEY={SECRET}12", "/a?x=1&amp;KEY=[Filtered]"),
    ],
)
def test_what_text_calls_a_credential_is_taken_out(text: str, left: str) -> None:
    """``name: value`` with a digit in it, ``sig`` and ``key`` in the query of a URL; the quick look sees them."""
    assert scrub(text, STANDING) == left
    assert may_contain_secret(orjson.dumps({"text": text}), personal=False)


@pytest.mark.parametrize("name", ["sig", "key"])
def test_a_signature_in_the_query_of_a_request_is_taken_out(name: str) -> None:
    """Where the query stands alone, without its question mark, as text or in pairs."""
    event = orjson.dumps(REDACTION.redact({"request": {"query": f"{name}={SECRET}12&a=1"}}))
    assert event == orjson.dumps({"request": {"query": f"{name}=[Filtered]&a=1"}})
    assert may_contain_secret(orjson.dumps({"request": {"query": f"{name}={SECRET}12"}}), personal=False)
    assert REDACTION.redact({"query_string": [[name, SECRET + "12"], ["a", "1"]]}) == {
        "query_string": [[name, "[Filtered]"], ["a", "1"]]
    }


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
    assert may_contain_secret(orjson.dumps(value), personal=True)


def test_the_quick_look_sees_a_nul() -> None:
    """Nobody looks for one again where it lets an event pass."""
    assert may_contain_secret(orjson.dumps({"a": "b\0c"}), personal=False)
    assert not may_contain_secret(orjson.dumps({"a": "b\1c"}), personal=False)


PIECES = st.text(max_size=4) | st.sampled_from(
    [
        *SHAPES.values(),
        *(BODY, BODY[:8], SECRET, "eyJ", "ghp_", "AKIA", "AIza", "sntryu_", "xoxb-", "-----BEGIN ", "PRIVATE KEY-----"),
        *(
            "…",
            ".",
            "\n",
            "\t",
            "\\n",
            "\x1f",
            " ",
            ": ",
            "=",
            "?",
            "&",
            "'",
            '"',
            "sig",
            "key",
            "api ",
            "password",
            "token",
        ),
        *("--", "</", "<", ">", "%3D", "%3A", "%3F", "%22", "%5D", "[", "]", "{", "(", ",", "=>", "b'", "', '", " = "),
        *("pass", "jwt", "cookie", "user@", "://", "a:b", "@tcp(", "@", "jdbc:oracle:thin:a/b", "Splunk ", "Basic "),
    ]
)
NAMES = ["token", "ip", "x.sid", "pass word", "query", "query_string", "key"]


@given(
    st.recursive(
        st.text(max_size=40)
        | st.sampled_from(
            ["token", "a=b", "api-key: x1", "sid=1", "e-mail: a@b.c", "ip=1.2.3.4", "user_ip", "://a:b@c"]
        )
        | st.lists(PIECES, max_size=5).map("".join),
        lambda inner: (
            st.dictionaries(st.text(max_size=20) | st.sampled_from(NAMES), inner) | st.lists(inner, max_size=1)
        ),
        max_leaves=6,
    )
)
def test_what_the_quick_look_lets_pass_has_nothing_to_take_out(value: object) -> None:
    """In any JSON that views make: they leave no pairs of header and value behind."""
    if not may_contain_secret(orjson.dumps({"x": value}), personal=True):
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
        "SyntaxError: Unexpected token: foo",
        "Unexpected token: } in JSON at position 12345678",
        "invalid password: expected something else",
        "undefined method for #<Token:0x000055d0a1b2c3d4>",
        "sort key: 12345678 and partition key: order#12345678",
        "cache miss, key=orders:0123456789abcdef",
        "https://x.example/?key=name&sig=none",
        "https://x.example/?key=abcdefghijklmnopqrst",
        "list(next_page_token=None)",
        "/list?page_token=null&token=&secret=false&auth=True",
        "{'token': None, 'secret': False}",
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


@pytest.mark.slow
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
        "-----BEGIN PRIVATE KEY-----" * 8_000,
        "-----BEGIN " + "A " * 100_000,
        "eyJaaaaaaaa." * 20_000,
        "eyJ" * 60_000,
        "eyJ-" * 50_000,
        "xoxb-" * 40_000,
        "eyJ" + "a." * 100_000,
        "ghp_" * 50_000,
        "token: " * 30_000,
        "api " * 50_000,
        "?key=" * 40_000,
        "ip=" * 60_000,
        "?code=1" * 30_000,
        "X-Real-Ip: " * 20_000,
        "token=None" + ")" * 200_000,
        "token='" * 30_000,
        'a="' * 60_000,
        "token=[" * 30_000,
        "<token>" * 30_000,
        "<a " * 60_000 + "</a>",
        "--token " * 30_000,
        "%3Ftoken%3D" * 20_000,
        "%5D" * 60_000 + "%3D",
        "{token: '" * 20_000,
        "('token', '" * 20_000,
        "Authorization:" + ' a="' * 50_000,
        "a:b@" * 50_000 + "tcp(",
        "jdbc:oracle:thin:a/" * 10_000 + "@",
        "://a@b:c@" * 20_000,
        "token = " * 30_000,
    ],
)
def test_no_text_is_slow_to_look_through(text: str) -> None:
    """Texts that make a backtracking pattern run for ever take a moment."""
    started = time.process_time()
    scrub(text + "token", STANDING, broken=True)
    scrub(text + "token", STANDING)
    assert time.process_time() - started < 12  # a second at most; several under coverage on a busy machine
