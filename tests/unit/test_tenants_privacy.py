"""The keys of the tenants file that decide what leaves and where it may go."""

from typing import Any

import pytest

from app.errors import ConfigError
from app.secrets.last_good import LastGoodSecrets, values_of
from app.tenants.file.assemble import rotated, snapshot_of
from app.tenants.model import Tenant

SECRETS = {"env:S": b"client-secret", "env:T": b"hec-token", "env:K": b"0123456789abcdef", "env:SHORT": b"short"}


def _tenant(splunk: dict[str, Any] | None = None, sentry: dict[str, Any] | None = None, **keys: Any) -> Tenant:
    document = {
        "tenants": {
            "acme": {
                "sentry": {"client_secrets": ["env:S"]} | (sentry or {}),
                "splunk": [{"name": "main", "url": "https://s.example", "hec_token": "env:T"} | (splunk or {})],
            }
            | keys
        }
    }
    return snapshot_of(document, resolve=SECRETS.__getitem__).tenants["acme"]


def test_without_a_word_addresses_are_dropped_and_the_detail_is_a_summary() -> None:
    """Safe defaults."""
    (destination,) = _tenant().destinations
    assert (destination.privacy.email, destination.privacy.ip, destination.detail) == ("drop", "drop", "summary")
    assert destination.own_projects == frozenset()


def test_every_rule_reaches_the_destination() -> None:
    """Which is all that a transformation gets to see of its tenant."""
    privacy = {"email": "hash", "hash_key": "env:K", "drop_paths": ["a.b{}.c"], "mask": [r"\d{16}"]}
    tenant = _tenant(sentry={"own_projects": ["relay", 4507]}, privacy=privacy, detail="none")
    (destination,) = tenant.destinations
    assert destination.privacy is tenant.privacy
    assert destination.privacy.hash_key is not None
    assert destination.privacy.hash_key.value == SECRETS["env:K"]
    assert destination.privacy.drop_paths == (("a", "b", "c"),)
    assert destination.privacy.masks[0].apply("card 4111111111111111") == "card [Filtered]"
    assert destination.own_projects == {"relay", "4507"}
    assert destination.detail == "none"
    assert _tenant({"detail": "full"}, detail="none").destinations[0].detail == "full"


def test_conditions_on_tags_and_single_values_are_taken() -> None:
    """One text is a list of one."""
    routes = [{"when": {"level": "error", "tag": {"team": "payments", "plan": ["pro", "max"]}}, "sample": 0.5}]
    (route,) = _tenant({"routes": routes}).destinations[0].routes
    wanted = {"level": ("error",), "tag:team": ("payments",), "tag:plan": ("pro", "max")}
    assert (dict(route.when.conditions), route.sample) == (wanted, 0.5)


@pytest.mark.parametrize(
    ("splunk", "keys", "words"),
    [
        ({}, {"privacy": {"email": "hide"}}, "privacy.email: must be keep, hash or drop"),
        ({}, {"privacy": {"email": "hash"}}, "privacy: hashes addresses, so it needs a hash_key"),
        ({}, {"privacy": {"hash_key": "env:K"}}, "hash_key has nothing to hold for"),
        ({}, {"privacy": {"ip": "hash", "hash_key": "env:SHORT"}}, "privacy.hash_key: env:SHORT does not resolve"),
        ({}, {"privacy": {"drop_paths": ["a..b"]}}, "privacy.drop_paths[0]: must be 1 to 20 names"),
        ({}, {"privacy": {"drop_paths": ["tenant"]}}, "says which hook it is"),
        ({}, {"privacy": {"mask": ["(secret-of-mine"]}}, "privacy.mask[0]: is no pattern of RE2"),
        ({}, {"privacy": {"mask": ["x*"]}}, "privacy.mask[0]: matches where nothing stands"),
        ({}, {"privacy": {"mask": ["x"] * 51}}, "privacy.mask: has more than 50 entries"),
        ({}, {"detail": "all"}, "detail: must be none, summary or full"),
        ({"detail": "all"}, {}, "splunk[0].detail: must be none, summary or full"),
        ({"routes": [{"when": {"level": "x"}, "sample": 1.5}]}, {}, "routes[0].sample: must be between 0 and 1"),
        ({"routes": [{"when": {"level": "x"}, "sample": "some"}]}, {}, "routes[0].sample: must be a number"),
        ({"routes": [{"when": {"level": "x"}, "sample": 0.5, "drop": True}]}, {}, "routes[0]: drops what it matches"),
        ({"routes": [{"when": {"tag": {"team": []}}}]}, {}, "when.tag.team: must have at least one entry"),
        ({"index": "other"}, {"allow": {"index": ["sentry*"]}}, "splunk[0].index: is not one that the tenant's allow"),
        (
            {"index": "sentry", "routes": [{"when": {"level": "x"}, "sourcetype": "their:own"}]},
            {"allow": {"index": ["sentry*"], "sourcetype": ["sentry:*"]}},
            "splunk[0].routes[0].sourcetype: is not one",
        ),
    ],
)
def test_what_could_not_work_is_refused_with_its_place(
    splunk: dict[str, Any], keys: dict[str, Any], words: str
) -> None:
    """No value is repeated: a pattern may spell out what it is meant to hide."""
    with pytest.raises(ConfigError) as refused:
        _tenant(splunk, **keys)
    assert words in str(refused.value)
    assert "secret-of-mine" not in str(refused.value)


def test_what_is_allowed_passes() -> None:
    """An index that is not named at all is the hec_token's default, which no list forbids."""
    allow = {"index": ["sentry*"], "hec_source": ["relay"]}
    tenant = _tenant({"routes": [{"when": {"level": "x"}, "index": "sentry_prod", "hec_source": "relay"}]}, allow=allow)
    assert tenant.destinations[0].index is None


def test_a_rotated_key_reaches_every_destination() -> None:
    """As every other secret does."""
    document = {
        "tenants": {
            "acme": {
                "sentry": {"client_secrets": ["env:S"]},
                "splunk": [{"name": "main", "url": "https://s.example", "hec_token": "env:T"}],
                "privacy": {"ip": "hash", "hash_key": "env:K"},
            }
        }
    }
    before = snapshot_of(document, resolve=SECRETS.__getitem__)
    assert values_of(before)["env:K"] == SECRETS["env:K"]
    fresh = SECRETS | {"env:K": b"fedcba9876543210"}
    after = rotated(before, LastGoodSecrets(fresh.__getitem__, values_of(before)))
    key = after.tenants["acme"].destinations[0].privacy.hash_key
    assert key is not None
    assert key.value == b"fedcba9876543210"
    assert after.tenants["acme"].destinations[0].privacy is after.tenants["acme"].privacy
