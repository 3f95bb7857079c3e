"""What a tenant decides: addresses, paths, masks, detail."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.model import Hook, Secret
from app.tenants.model import Destination
from app.tenants.privacy import MARK, Privacy, mask
from app.transform import transform
from app.transform.privacy.paths import kept_of
from app.transform.privacy.personal import hashed
from tests.goldens import NAMES, hook_of, only

KEY = Secret("env:KEY", b"0123456789abcdef")
DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")
EMAIL, IP = "Ada.Byron@example.org", "203.0.113.9"
HOOK: dict[str, Any] = {
    "title": f"no mail for {EMAIL}",
    "user": {"id": "u-1", "email": EMAIL, "ip_address": IP, "username": EMAIL, "geo": {"country_code": "GB"}},
    "tags": [["user", f"email:{EMAIL}"], ["user.email", EMAIL], ["client_ip", IP], ["plan", "pro"]],
    "request": {"url": "https://x.example/?to=ada.byron%40example.org&ip=" + IP, "env": {"REMOTE_ADDR": IP}},
    "breadcrumbs": {"values": [{"message": f"hello {EMAIL.lower()} from {IP}"}]},
    "contexts": {
        "person": {"e-mail": "someone@else.example", "note": "ops@example.org", "forwarded-for": "198.51.100.7"}
    },
    "message": 'sent {"email": "third@party.example", "n": 1}',
}


def _event(error: dict[str, Any], detail: Any = "summary", **rules: Any) -> dict[str, Any]:
    destination = replace(DESTINATION, privacy=Privacy(**rules), detail=detail)
    payload = orjson.dumps({"action": "created", "data": {"error": error}})
    made = only(transform(Hook(delivery_id="ab" * 16, tenant="acme", resource="error", payload=payload), destination))
    assert made.event_json == orjson.dumps(made.event)
    return dict(made.event)


def _text(event: dict[str, Any]) -> str:
    return orjson.dumps(event).decode()


@pytest.mark.parametrize("detail", ["none", "summary", "full"])
def test_addresses_are_dropped_unless_the_tenant_wants_them(detail: str) -> None:
    """Wherever the user's own are repeated and however they are spelled, and whatever stands under such a name."""
    event = _event(HOOK, detail)
    text = _text(event).lower()
    assert [each for each in ("byron", IP, "someone@", "198.51", "third@") if each in text] == []
    assert event["user_id"] == "u-1"
    assert event["title"] == f"no mail for {MARK}"
    assert not {"user_email", "user_email_hash", "user_ip", "user_ip_hash"} & event.keys()
    if detail != "none":
        assert event["contexts"]["person"]["note"] == "ops@example.org"


@pytest.mark.parametrize("detail", ["summary", "full"])
def test_hashed_addresses_are_the_same_everywhere(detail: str) -> None:
    """So that one person can be followed without being named."""
    event = _event(HOOK, detail, email="hash", ip="hash", hash_key=KEY)
    assert "byron" not in _text(event).lower()
    assert IP not in _text(event)
    person = hashed("ada.byron@example.org", KEY.value)
    assert event["user_email_hash"] == person
    assert event["title"] == f"no mail for {person}"
    assert event["tags"] == {"user.email": person, "client_ip": hashed(IP, KEY.value), "plan": "pro"}
    assert hashed(" ADA.byron@example.org", KEY.value) == person
    assert hashed("ada.byron@example.org", b"another key here") != person


def test_kept_addresses_are_kept() -> None:
    """In the head under names of their own, and where they stood."""
    event = _event(HOOK, email="keep", ip="keep")
    assert (event["user_email"], event["user_ip"]) == (EMAIL, IP)
    assert event["tags"]["client_ip"] == IP
    assert event["contexts"]["person"]["forwarded-for"] == "198.51.100.7"


def test_each_kind_of_address_has_its_own_rule() -> None:
    """A tenant may need IP addresses to find attacks, and no names."""
    event = _event(HOOK, ip="keep")
    assert event["user_ip"] == IP
    assert "byron" not in _text(event).lower()


@pytest.mark.parametrize("identity", [EMAIL, IP])
def test_an_address_in_place_of_an_id_is_an_address(identity: str) -> None:
    """Many applications take the e-mail address for the user's id."""
    assert identity not in _text(_event({"user": {"id": identity}}, "full"))
    assert _event({"user": {"id": EMAIL}}, email="hash", hash_key=KEY)["user_email_hash"] == hashed(EMAIL, KEY.value)
    assert _event({"user": {"id": identity}}, email="keep", ip="keep")["user_id"] == identity


def test_an_address_in_place_of_an_id_is_found_beside_another_one() -> None:
    """A user may have an address and be called by a second; either may stand in a frame."""
    user = {"ip_address": "203.0.113.9", "id": "198.51.100.7"}
    for seen in user.values():
        assert seen not in _text(_event({"user": user, "title": f"refused by {seen}"}))


def test_only_what_has_a_reason_is_looked_at_closely_and_nothing_else_changes() -> None:
    """A credential in one breadcrumb is taken out, its neighbours pass as they were."""
    plain = {"message": "GET /orders", "data": {"url": "https://shop.example/orders"}}
    leaky = {"message": "GET /stock?api_key=k-778899"}
    error = {"title": "t", "breadcrumbs": {"values": [plain, leaky, plain]}}
    clean = _event(error | {"breadcrumbs": {"values": [plain, plain]}})
    event = _event(error)
    assert event["breadcrumbs"][0] == event["breadcrumbs"][2] == clean["breadcrumbs"][0]
    assert "k-778899" not in _text(event)
    assert "[Filtered]" in event["breadcrumbs"][1]["message"]


def test_an_address_of_nobody_is_left() -> None:
    """Errors of a local connection are full of it."""
    event = _event({"user": {"ip_address": "127.0.0.1"}, "title": "refused: 127.0.0.1:5432"})
    assert event["title"] == "refused: 127.0.0.1:5432"


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("a", {"list": [{"v": 1, "w": 2}], "tags": {"user.name": "x"}}),
        ("A.b.c", {"a": {"b": {"d": 2}}, "list": [{"v": 1, "w": 2}], "tags": {"user.name": "x"}}),
        ("a.*.d", {"a": {"b": {"c": 1}}, "list": [{"v": 1, "w": 2}], "tags": {"user.name": "x"}}),
        ("a.**", {"a": {}, "list": [{"v": 1, "w": 2}], "tags": {"user.name": "x"}}),
        ("**.d", {"a": {"b": {"c": 1}}, "list": [{"v": 1, "w": 2}], "tags": {"user.name": "x"}}),
        ("list.v", {"a": {"b": {"c": 1, "d": 2}}, "list": [{"w": 2}], "tags": {"user.name": "x"}}),
        ("list.*.w", {"a": {"b": {"c": 1, "d": 2}}, "list": [{"v": 1}], "tags": {"user.name": "x"}}),
        ("tags.user.name", {"a": {"b": {"c": 1, "d": 2}}, "list": [{"v": 1, "w": 2}], "tags": {}}),
        ("tags.user*", {"a": {"b": {"c": 1, "d": 2}}, "list": [{"v": 1, "w": 2}], "tags": {}}),
    ],
)
def test_a_path_goes_through_objects_lists_and_dotted_names(path: str, left: dict[str, object]) -> None:
    """In any case, with globs; everything else stays."""
    section = {"a": {"b": {"c": 1, "d": 2}}, "list": [{"v": 1, "w": 2}], "tags": {"user.name": "x"}}
    assert kept_of(section, [tuple(path.split("."))]) == left


def test_what_says_which_hook_it_is_cannot_be_dropped_or_masked() -> None:
    """Whatever the rules say."""
    event = _event({"title": "abc"}, drop_paths=(("*",), ("**",)), masks=(mask("[a-z]+"), mask(r"\d")))
    assert event == {
        "schema": 2,
        "tenant": "acme",
        "resource": "error",
        "action": "created",
        "delivery_id": "ab" * 16,
    }


def test_dropped_paths_are_gone_from_head_detail_and_payload() -> None:
    """And a path into a payload that is no JSON drops its text: nobody could follow it there."""
    rules: dict[str, Any] = {"drop_paths": (("tags", "plan"), ("breadcrumbs",), ("payload", "**", "contexts"))}
    event = _event(HOOK, "full", **rules)
    assert "plan" not in event["tags"]
    assert "breadcrumbs" not in event
    assert "contexts" not in event["payload"]["data"]["error"]
    broken = Hook(delivery_id="ab" * 16, tenant="acme", resource="tide", payload=b'{"contexts": "x')
    made = only(transform(broken, replace(DESTINATION, privacy=Privacy(**rules))))
    assert "payload_text" not in made.event


def test_masks_meet_texts_numbers_and_keys_alike() -> None:
    """In head, detail, payload and indexed fields."""
    card = "4111 1111 1111 1111"
    error = {"title": f"card {card}", "environment": f"e-{card}", "extra": {"n": 4111111111111111, card: [card]}}
    event = _event(error, "full", masks=(mask(r"\d{4} ?\d{4} ?\d{4} ?\d{4}"),))
    assert "1111" not in _text(event)
    assert event["title"] == f"card {MARK}"
    assert event["payload"]["data"]["error"]["extra"] == {"n": MARK, MARK: [MARK]}


def test_a_mask_that_makes_backtracking_engines_run_for_ever_takes_a_moment() -> None:
    """The engine reads a text once, whatever the pattern; another would not be done before the test's deadline."""
    event = _event({"title": "x", "message": "a" * 50_000}, "full", masks=(mask(r"(a+)+…?$"), mask(r"(a|a)*b")))
    assert "aaaa" not in _text(event)


@pytest.mark.parametrize("pattern", ["(a", r"(?=a)", r"(a)\1", "a*", "", "x" * 501])
def test_a_pattern_that_could_not_work_is_refused_without_being_repeated(pattern: str) -> None:
    """What it is meant to hide may stand in it."""
    with pytest.raises(ValueError, match=r"RE2|nothing stands|longer") as refused:
        mask(pattern)
    assert not pattern or pattern not in str(refused.value)


def test_detail_none_is_the_head_alone() -> None:
    """Also of a hook that nobody can read, whose payload would be all there is."""
    event = _event(HOOK, "none")
    assert {"exceptions", "contexts", "breadcrumbs", "message", "request"} & event.keys() == set()
    assert event["tags"]["plan"] == "pro"
    unknown = Hook(delivery_id="ab" * 16, tenant="acme", resource="tide", payload=b'{"a":1}')
    made = only(transform(unknown, replace(DESTINATION, detail="none")))
    assert "payload" not in made.event


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("tide")])
def test_detail_full_ends_in_the_payload(name: str) -> None:
    """After the same head and summary, cleared; what there is no room for is said."""
    destination = replace(DESTINATION, detail="full")
    summary, full = (transform(hook_of(name), each) for each in (DESTINATION, destination))
    assert isinstance(summary, tuple)
    assert isinstance(full, tuple)
    for short, long in zip(summary, full, strict=True):
        assert list(long.event)[:-1] == list(short.event)
        assert list(long.event)[-1] == "payload"


def test_a_full_payload_without_room_is_cut_and_said() -> None:
    """The summary stays whole."""
    payload = orjson.dumps({"action": "created", "data": {"error": {"title": "t", "extra": ["x" * 100] * 130}}})
    hook = Hook(delivery_id="ab" * 16, tenant="acme", resource="error", payload=payload)
    made = only(transform(hook, replace(DESTINATION, detail="full"), event_bytes_max=8_000))
    assert made.event["trimmed"] == ["payload"]
    assert list(made.event)[-1] == "payload_text"
    assert 7_800 < len(made.event_json) <= 8_000


def test_what_sentry_keeps_of_filtered_values_does_not_pass() -> None:
    """``_meta`` may hold the original; Sentry's own mark stays where it stood."""
    error = {
        "title": "t",
        "extra": {"card": "[Filtered]"},
        "_meta": {"extra": {"card": {"": {"rem": [["@creditcard", "s"]], "val": "4111-secret"}}}},
    }
    event = _event(error, "full")
    assert "4111-secret" not in _text(event)
    assert event["payload"]["data"]["error"]["extra"] == {"card": "[Filtered]"}


def test_numbers_and_nul_are_read_exactly_where_they_matter() -> None:
    """The quick reader rounds the one and lets the other through."""
    error = rb'{"title":"a\u0000b","project":18446744073709551617,"extra":{"n":1e300}}'
    payload = rb'{"action":"created","data":{"error":%s}}' % error
    made = only(transform(Hook(delivery_id="ab" * 16, tenant="acme", resource="error", payload=payload), DESTINATION))
    assert (made.event["title"], made.event["project_id"]) == ("a\ufffdb", "18446744073709551617")
