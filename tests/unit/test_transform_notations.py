"""Credentials and addresses in the spellings of frameworks and drivers, and what only resembles them."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.model import Hook, Secret
from app.tenants.model import Destination
from app.tenants.privacy import Privacy
from app.transform import transform
from app.transform.privacy.personal import AddressPolicy, hashed
from app.transform.privacy.prefilter import may_contain_secret
from app.transform.privacy.redact import Redaction
from app.transform.privacy.scrub import scrub
from tests.goldens import only

SECRET = "hunter2hunter2"
MARK = "[Filtered]"
STANDING = AddressPolicy(Privacy())
REDACTION = Redaction(Privacy())
KEY = Secret("env:KEY", b"0123456789abcdef")
DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")


def _text(error: dict[str, Any], **rules: Any) -> str:
    payload = orjson.dumps({"action": "created", "data": {"error": error}})
    hook = Hook(delivery_id="ab" * 16, tenant="acme", resource="error", payload=payload)
    made = only(transform(hook, replace(DESTINATION, privacy=Privacy(**rules))))
    return made.event_json.decode()


@pytest.mark.parametrize(
    "text",
    [
        f"connect(host='db', password='{SECRET}')",
        f'connect(host="db", password="{SECRET}")',
        f"host=db user=shop password='{SECRET}' dbname=shop",
        f"SELECT id FROM users WHERE api_key='{SECRET}'",  # noqa: S608 - a text to read, never run
        f"SELECT id FROM users WHERE password = '{SECRET}' AND id = 1",  # noqa: S608 - a text to read, never run
        f'API_TOKEN = "{SECRET}"',
        f'Server=db;Password="{SECRET}";',
        f'Parameters: {{"user"=>{{"password"=>"{SECRET}"}}}}',
        f"array ('password' => '{SECRET}')",
        f'{{:password=>"{SECRET}"}}',
        f"user[password]={SECRET}&user[name]=ann",
        f"user%5Bpassword%5D={SECRET}&user%5Bname%5D=ann",
        f"/signup?user[api_key]={SECRET}",
        f"[('Cookie', 's={SECRET}'), ('Host', 'a')]",
        f"[(b'x-api-key', b'{SECRET}')]",
        f"{{b'authorization': b'{SECRET}'}}",
        f'[{{"authorization", "{SECRET}"}}]',
        f"{{ authorization: 'Token {SECRET}' }}",
        f"{{ user: 'ann', pass: '{SECRET}' }}",
        f"{{ url: '/', cookies: {{ theme: 'a', s: '{SECRET}' }} }}",
        f'%Plug.Conn{{host: "a", cookies: %{{"s" => "{SECRET}"}}}}',
        f"a\npass={SECRET}",
        f"Authorization=Token {SECRET}",
        f"Authorization=[Bearer {SECRET}]",
        f"Cookie=[a=x; b={SECRET}]",
        f'[Authorization:"Bearer {SECRET}", Host:"x"]',
        f"password = {SECRET}12",
        f"{{User:ann Password:{SECRET}12 Age:3}}",
        f"map[password:{SECRET}12 user:ann]",
        f"next=https%3A%2F%2Fh%2F%3Ftoken%3D{SECRET}%26a%3D1",
        f"data=%7B%22password%22%3A%22{SECRET}%22%7D",
        f"dial shop:{SECRET}@tcp(db:3306)/shop",
        f"jdbc:oracle:thin:shop/{SECRET}@db:1521",
        f"smtp://ann@corp.example:{SECRET}@mail",
        f"mysqldump --password {SECRET}12 shop",
        f"['mysqldump', '--password', '{SECRET}12']",
        f"<wsse:Password Type='x'>{SECRET}</wsse:Password>",
        "Basic aHVudGVyMjpodW50ZXIyaHVudGVyMg",
        "Splunk hunter2hunter2…",
    ],
)
def test_a_value_goes_however_it_is_assigned_and_quoted(text: str) -> None:
    """As languages, forms, drivers, commands and XML write it; the quick look sees it too."""
    left = scrub(text, STANDING)
    assert SECRET not in left
    assert MARK in left
    assert may_contain_secret(orjson.dumps({"text": text}), personal=False)


@pytest.mark.parametrize(
    "text",
    [
        f'Authorization: OAuth oauth_consumer_key="k", oauth_token="{SECRET}"',
        f'Authorization: Digest username="ann", realm="shop", response="{SECRET}"',
        f'dump: "GET / HTTP/1.1\\r\\nCookie: theme=a; remember={SECRET}\\r\\n"',
    ],
)
def test_a_header_goes_to_the_end_of_its_line(text: str) -> None:
    """Also behind a quoted parameter, and where the line's beginning is spelled out."""
    assert SECRET not in scrub(text, STANDING)


@pytest.mark.parametrize(
    "name",
    [
        "PHPSESSID",
        "key_passphrase",
        "password_confirmation",
        "new_password1",
        "DB_PASS",
        "PHP_AUTH_PW",
        "x-functions-key",
    ],
)
def test_names_of_frameworks_are_names_of_credentials(name: str) -> None:
    """PHP's session, Rails' and Laravel's second password, Django's."""
    assert REDACTION.redact({name: SECRET}) == {name: MARK}
    assert SECRET not in scrub(f"{name}={SECRET}", STANDING)


def test_a_password_with_an_at_sign_goes_whole() -> None:
    """Drivers take the last one for the end of the user's part."""
    assert SECRET not in scrub(f"postgres://shop:p@{SECRET}@db.example/shop", STANDING)


@pytest.mark.parametrize("name", ["statusId", "seriesId", "previousId", "analysisId", "aliasId", "canvasId"])
def test_an_id_of_something_in_s_is_no_session(name: str) -> None:
    """``sid`` is a word of its own."""
    assert REDACTION.redact({name: 5}) == {name: 5}
    assert scrub(f"{name}=5", STANDING) == f"{name}=5"


@pytest.mark.parametrize("code", ["ER_NO_REFERENCED_ROW_2", "ERR_HTTP2_INVALID_SESSION", "DUPLICATE_KEY_11000"])
def test_the_code_of_an_error_is_no_grant(code: str) -> None:
    """MySQL's and Node's error codes have digits as well."""
    assert REDACTION.redact({"code": code}) == {"code": code}


@pytest.mark.parametrize(
    "text",
    [
        "Splunk 10.4.0 answers",
        "manifest digest sha256:9f86d081884c7d65 not found",
        "Invalid cookie: expires attribute is malformed",
        "Basic settings1 were read",
        "no connection to auth:8080 or auth:8080/v1/health?id=12345678",
        "auth:8080,redis:6379 cannot be reached",
        "#<Token:0x000055d0c0ffee00 @a=1>",
        'Missing: ["password", "email"]',
        "Unexpected token = in JSON at position 12345678",
        "Unexpected token: ';' at 12",
        "give --token instead of --password",
        "12 pass: 10, fail: 2",
        "<token></token>",
        "ERROR:app.auth:failed12345 again",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod",
        "render_pass=3",
    ],
)
def test_words_of_authentication_are_left(text: str) -> None:
    """A version, a checksum, a reason."""
    assert scrub(text, STANDING) == text


@pytest.mark.parametrize(
    ("user", "title"),
    [
        ({"ip_address": "10.0.0.1"}, "no connection to 10.0.0.12:5432"),
        ({"ip_address": "10.0.0.1"}, "no connection to 110.0.0.1"),
        ({"email": "a@b.co"}, "no mail for dana@b.com"),
    ],
)
def test_a_longer_address_is_another_one(user: dict[str, str], title: str) -> None:
    """Half an address helps nobody and is wrong."""
    assert orjson.loads(_text({"user": user, "title": title}))["title"] == title


@pytest.mark.parametrize("email", ["root@localhost", "ada@bücher.example", "o'brien@corp.example"])
def test_the_users_address_is_found_wherever_it_is_repeated(email: str) -> None:
    """Of a host without a dot, of one with an umlaut, with an apostrophe."""
    assert email not in _text({"user": {"id": "1", "email": email}, "title": f"no mail for {email}"})


@pytest.mark.parametrize("mark", ["id", "username"])
def test_the_user_tag_holds_no_address(mark: str) -> None:
    """Sentry writes ``id:`` and ``username:`` there as well, and many take the address for either."""
    assert "ada@" not in _text({"title": "t", "tags": [["user", f"{mark}:ada@corp.example"]]})


def test_an_address_that_was_cut_with_its_text_goes_as_well() -> None:
    """As a token that was cut does."""
    user = {"id": "1", "email": "ada.byron@corp.example"}
    assert "byron" not in _text({"user": user, "title": "x" * 980 + " ada.byron@corp.example"})


def test_the_addresses_of_a_list_are_hashed_one_by_one() -> None:
    """The first one is the person's, whatever proxies stand behind it."""
    crumb = {"message": "X-Forwarded-For: 203.0.113.9, 10.0.0.1"}
    value = {
        "title": "t",
        "contexts": {"c": {"x_forwarded_for": "203.0.113.9, 10.0.0.1"}},
        "breadcrumbs": {"values": [crumb]},
    }
    text = _text(value, email="hash", ip="hash", hash_key=KEY)
    assert "203.0.113.9" not in text
    assert hashed("203.0.113.9", KEY.value) in text


def test_an_assignee_without_a_name_is_not_named_by_the_address() -> None:
    """What stands under ``email`` is an address, wherever it is moved."""
    person = {"type": "user", "id": "5", "name": "", "email": "bob@corp.example"}
    payload = orjson.dumps({"action": "assigned", "data": {"issue": {"id": "1", "title": "t", "assignedTo": person}}})
    made = only(transform(Hook(delivery_id="ab" * 16, tenant="acme", resource="issue", payload=payload), DESTINATION))
    assert b"bob@" not in made.event_json


def test_the_user_of_an_old_payload_is_known() -> None:
    """Sentry 8 and 9 call it ``sentry.interfaces.User``; the address is repeated in the title."""
    user = {"id": "9", "email": "ada@corp.example"}
    payload = orjson.dumps(
        {"id": "1", "event": {"sentry.interfaces.User": user, "message": "no mail for ada@corp.example"}}
    )
    made = only(transform(Hook(delivery_id="ab" * 16, tenant="acme", payload=payload, sender="legacy"), DESTINATION))
    assert b"ada@" not in made.event_json
    assert made.event["user_id"] == "9"
