"""From a document to a snapshot: all of it, or every fault with its place."""

import copy
import time
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError
from app.model import Secret
from app.secrets.last_good import LastGoodSecrets, values_of
from app.tenants.file.assemble import rotated, snapshot_of
from app.tenants.file.document import Entry
from app.tenants.file.faults import FAULTS_SHOWN_MAX
from app.tenants.model import Destination, Match, Route, Snapshot, Tenant, Tls
from app.tenants.registry import Registry

ROOT = Path(__file__).parents[2]
UUID = "7a485448-a9e2-4c85-8a3c-4f44175783c9"
SECRETS = {
    "env:SENTRY": b"sentry-secret-of-acme",
    "env:OLD": b"older-secret-of-acme",
    "env:LEGACY": b"a-key-for-the-url",
    "env:HEC": b"hec-token-value",
    "env:SHARED": b"shared-secret-of-all",
    "env:EMPTY": b"",
    "file:ca.pem": b"-----BEGIN CERTIFICATE-----",
}


def resolve(reference: str) -> bytes:
    """The secrets of these tests."""
    if reference not in SECRETS:
        raise ConfigError("the environment has no such variable")
    return SECRETS[reference]


def document(**changes: Any) -> dict[str, Any]:
    """One tenant with one destination; ``changes`` go into the destination."""
    splunk = {"name": "main", "url": "https://splunk.example:8088", "hec_token": "env:HEC", **changes}
    return {"tenants": {"acme": {"sentry": {"client_secrets": ["env:SENTRY"]}, "splunk": [splunk]}}}


def refusal(of: object) -> str:
    """The words with which this document is refused."""
    with pytest.raises(ConfigError) as refused:
        snapshot_of(of, resolve=resolve, file="t.yaml")
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    return str(refused.value)


def test_the_whole_document_becomes_a_snapshot() -> None:
    """Every key of the file has its place in the model, and every reference its value."""
    snapshot = snapshot_of(
        {
            "tenants": {
                "acme": {
                    "sentry": {
                        "client_secrets": ["env:SENTRY", "env:OLD"],
                        "installations": [UUID.upper()],
                        "legacy_keys": ["env:LEGACY"],
                    },
                    "splunk": [
                        {
                            "name": "main",
                            "url": "https://splunk.example:8088/services/collector/event",
                            "hec_token": "env:HEC",
                            "index": "sentry",
                            "sourcetype": "sentry:any",
                            "hec_source": "sentry",
                            "host": "relay-1",
                            "routes": [
                                {"when": {"project": ["checkout"], "level": ["fatal", "error"]}, "index": "prod"},
                                {"when": {"resource": ["comment"]}, "drop": "true"},
                            ],
                            "tls": {"ca_file": "ca.pem", "server_name": "SplunkServerDefaultCert"},
                        }
                    ],
                }
            },
            "shared_integrations": [{"client_secrets": ["env:SHARED"]}],
        },
        resolve=resolve,
    )
    acme = Tenant(
        name="acme",
        client_secrets=(Secret("env:SENTRY", b"sentry-secret-of-acme"), Secret("env:OLD", b"older-secret-of-acme")),
        installations=frozenset({UUID}),
        shared_references=frozenset({"env:SHARED"}),
        legacy_keys=(Secret("env:LEGACY", b"a-key-for-the-url"),),
        destinations=(
            Destination(
                tenant="acme",
                name="main",
                url="https://splunk.example:8088",
                hec_token=Secret("env:HEC", b"hec-token-value"),
                hec_token_ref="env:HEC",
                index="sentry",
                sourcetype="sentry:any",
                hec_source="sentry",
                host="relay-1",
                routes=(
                    Route(when=Match({"project": ("checkout",), "level": ("fatal", "error")}), index="prod"),
                    Route(when=Match({"resource": ("comment",)}), drop=True),
                ),
                tls=Tls(ca_file=Secret("file:ca.pem", SECRETS["file:ca.pem"]), server_name="SplunkServerDefaultCert"),
            ),
        ),
        destination_names=("main",),
    )
    assert snapshot == Snapshot(
        tenants={"acme": acme},
        by_installation={UUID: acme},
        shared_secrets=(Secret("env:SHARED", b"shared-secret-of-all"),),
    )
    assert snapshot.destination("acme", "main") is snapshot.tenants["acme"].destinations[0]


def test_no_secret_is_in_the_repr_of_anything() -> None:
    """A snapshot may end in a traceback."""
    snapshot = snapshot_of(document(), resolve=resolve)
    assert "secret" not in repr(snapshot).replace("client_secrets", "").replace("shared_secrets", "")
    assert "hec-token-value" not in repr(snapshot)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"token": "env:HEC"}, "splunk[0].token: is not a key here; the nearest one is hec_token"),
        ({"source": "x"}, "splunk[0].source: is not a key here; the nearest one is hec_source"),
        ({"tls": {"verfy": "true"}}, "splunk[0].tls.verfy: is not a key here; the nearest one is verify"),
        (
            {"routes": [{"when": {"tenant": ["x"]}}]},
            "routes[0].when.tenant: is not a key here; the keys are resource, action, project",
        ),
        ({"zzz": "x"}, "zzz: is not a key here; the keys are name, url, hec_token, index"),
        ({"name": "Main"}, "splunk[0].name: must be 1 to 63 of a-z"),
        ({"url": "splunk.example"}, "splunk[0].url: must begin with https://"),
        ({"url": None}, "splunk[0].url: stands there without a value"),
        ({"url": ["x"]}, "splunk[0].url: must be text"),
        ({"hec_token": "hunter2"}, "splunk[0].hec_token: must be a reference, env:NAME or file:PATH"),
        ({"hec_token": "env:EMPTY"}, "splunk[0].hec_token: env:EMPTY does not resolve: is empty"),
        ({"hec_token": "env:NONE"}, "hec_token: env:NONE does not resolve: the environment has no such variable"),
        ({"index": "_internal"}, "splunk[0].index: must be the name of a Splunk index"),
        ({"sourcetype": "a::b"}, "splunk[0].sourcetype: must be letters"),
        ({"host": "a\nb"}, "splunk[0].host: must be 1 to 255 printable"),
        ({"routes": [{"when": {}}]}, "routes[0].when: names no condition"),
        ({"routes": [{"when": {"project": None}}]}, "routes[0].when: names no condition"),
        ({"routes": [{"when": {"project": []}}]}, "when.project: must have at least one entry"),
        ({"routes": [{"when": {"project": {"x": "y"}}}]}, "when.project: must be a list"),
        ({"routes": [{"when": {"project": ["x"]}, "drop": "maybe"}]}, "routes[0].drop: must be true or false"),
        ({"routes": [{"when": {"project": ["x"]}, "drop": True, "index": "a"}]}, "routes[0]: drops what it matches"),
        ({"routes": {"when": {}}}, "splunk[0].routes: must be a list"),
        ({"tls": {"verify": False, "ca_file": "ca.pem"}}, "splunk[0].tls: verify is off"),
        ({"tls": {"ca_file": "gone.pem"}}, "tls.ca_file: file:gone.pem does not resolve"),
        ({"url": "http://splunk.example", "tls": {}}, "splunk[0]: the url begins with http://"),
    ],
)
def test_a_destination_that_is_wrong_is_refused_with_its_path(change: dict[str, Any], words: str) -> None:
    """Path, reason, what would be right; never the value."""
    told = refusal(document(**change))
    assert told.startswith("t.yaml: tenants.acme.")
    assert words in told
    assert "\n" not in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (None, "t.yaml: is empty"),
        ({}, "t.yaml: tenants: is missing"),
        ("tenants", "t.yaml: must be a mapping"),
        ({"tenants": {}}, "t.yaml: tenants: must have at least one entry"),
        ({"tenants": {"Acme": {}}}, "t.yaml: tenants.Acme: must be 1 to 63"),
        ({"tenants": {"acme": None}}, "t.yaml: tenants.acme: stands there without a value"),
        ({"tenants": {"acme": {"sentry": {}, "splunk": []}}}, "nobody could send"),
        ({"tenants": {"acme": {"sentry": {}, "splunk": []}}}, "splunk: must have at least one entry"),
        ({"tenant": {}}, "tenant: is not a key here; the nearest one is tenants"),
        ({**document(), "shared_integrations": [{}]}, "shared_integrations[0].client_secrets: is missing"),
    ],
)
def test_a_document_of_another_shape_is_refused(of: object, words: str) -> None:
    """Down to no document at all."""
    assert words in refusal(of)


def test_an_installation_belongs_to_one_tenant() -> None:
    """Else nobody could say whose hook it is. The same one twice in one tenant does no harm."""
    of = document()
    of["tenants"]["acme"]["sentry"]["installations"] = [UUID, UUID]
    assert set(snapshot_of(of, resolve=resolve).by_installation) == {UUID}
    of["tenants"]["globex"] = copy.deepcopy(of["tenants"]["acme"])
    of["tenants"]["globex"]["sentry"]["installations"] = [UUID.upper()]
    assert refusal(of) == (
        "t.yaml: tenants.globex.sentry.installations[0]: "
        "tenant acme has this installation already; it can belong to one only"
    )


def test_destinations_of_a_tenant_have_different_names() -> None:
    """The name is the delivery's address in the spool."""
    of = document()
    of["tenants"]["acme"]["splunk"] *= 2
    assert refusal(of) == (
        "t.yaml: tenants.acme.splunk[1].name: this tenant has a destination main already; names must differ"
    )


def test_every_fault_is_told_at_once_up_to_a_bound() -> None:
    """A person mends a file in one go; a broken generator fills no log."""
    of = document(url="x", index="X", hec_token="y")
    assert refusal(of).count("\n") == 2
    of = {"tenants": {f"T{number}": of["tenants"]["acme"] for number in range(30)}}
    lines = refusal(of).split("\n")
    assert len(lines) == FAULTS_SHOWN_MAX + 1
    assert lines[-1] == "t.yaml: and 100 faults more"


def test_what_is_risky_is_taken_with_a_warning() -> None:
    """Plain http, TLS unverified, installations that nothing verifies."""
    of = document(url="http://splunk.example:8088")
    of["tenants"]["acme"]["splunk"].append({**document()["tenants"]["acme"]["splunk"][0], "name": "b"})
    of["tenants"]["acme"]["splunk"][1]["tls"] = {"verify": "no"}
    of["tenants"]["acme"]["sentry"]["installations"] = [UUID]
    warnings = snapshot_of(of, resolve=resolve).warnings
    assert [words.partition(":")[0] for words in warnings] == ["acme/main", "acme/b", "acme"]
    assert "plain http" in warnings[0]
    assert "tls.verify is off" in warnings[1]
    assert "shared_integrations" in warnings[2]


def test_a_secret_that_is_gone_keeps_its_last_good_value() -> None:
    """Rotation by removing and writing again, or an emptied file, stops no tenant."""
    before = snapshot_of(document(), resolve=resolve)
    for value in (None, b"", b"two words"):
        rest = {"env:SENTRY": b"rotated"} | ({} if value is None else {"env:HEC": value})

        def now(reference: str, rest: dict[str, bytes] = rest) -> bytes:
            if reference not in rest:
                raise ConfigError("it cannot be read")
            return rest[reference]

        after = rotated(before, LastGoodSecrets(now, values_of(before)))
        assert values_of(after) == {"env:SENTRY": b"rotated", "env:HEC": b"hec-token-value"}
        assert len(after.unresolved) == 1
        assert after.unresolved[0].startswith("env:HEC does not resolve: ")
        assert rotated(after, LastGoodSecrets(resolve, values_of(after))) == before


def test_rotation_touches_only_what_changed() -> None:
    """Unchanged secrets give the very same snapshot, unchanged tenants are the same objects."""
    of = document()
    of["tenants"]["globex"] = copy.deepcopy(of["tenants"]["acme"])
    of["tenants"]["globex"]["sentry"]["client_secrets"] = ["env:OLD"]
    of["tenants"]["globex"]["sentry"]["installations"] = [UUID]
    before = snapshot_of(of, resolve=resolve)
    assert rotated(before, LastGoodSecrets(resolve, values_of(before))) is before

    def now(reference: str) -> bytes:
        return b"fresh" if reference == "env:OLD" else resolve(reference)

    assert rotated(before, LastGoodSecrets(now, values_of(before)), tenant="acme") is before
    after = rotated(before, LastGoodSecrets(now, values_of(before)), tenant="globex")
    assert after.tenants["acme"] is before.tenants["acme"]
    assert after.tenants["globex"].client_secrets == (Secret("env:OLD", b"fresh"),)
    assert after.by_installation[UUID] is after.tenants["globex"]


def test_the_example_file_is_a_good_one(tmp_path: Path) -> None:
    """What deploy/ ships as a pattern has the right shape and shows every key."""
    text = (ROOT / "deploy" / "tenants.example.yaml").read_text(encoding="utf-8")
    for name in ("globex_sentry", "globex_sentry_previous", "globex_hec_token"):
        (tmp_path / name).write_text(f"the-secret-of-{name}\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "globex-ca.pem").write_bytes(SECRETS["file:ca.pem"])
    text = text.replace("/run/secrets/", "").replace("/etc/ssl/", "")
    (tmp_path / "tenants.yaml").write_text(text)
    names = ["ACME_SENTRY_SECRET", "ACME_HEC_TOKEN", "GLOBEX_CLOUD_HEC_TOKEN", "INITECH_HEC_TOKEN"]
    environ = {name: f"the-secret-of-{name}" for name in (*names, "SHARED_SENTRY_SECRET", "GLOBEX_LEGACY_KEY")}
    snapshot = Registry.load(tmp_path / "tenants.yaml", environ=environ).snapshot
    assert list(snapshot.tenants) == ["acme", "globex", "initech"]
    assert not snapshot.warnings


def test_every_key_is_documented() -> None:
    """Each field of the file's model stands in docs/tenants.md as code."""
    page = (ROOT / "docs" / "tenants.md").read_text(encoding="utf-8")
    keys = {key for kind in Entry.__subclasses__() for key in kind.model_fields}
    assert not [key for key in sorted(keys) if f"`{key}`" not in page]


@pytest.mark.slow
def test_ten_thousand_tenants_load_in_their_numbers_time(tmp_path: Path) -> None:
    """With routes, secrets and installations: four times as many take about four times as long."""
    one = """\
  tenant-{0}:
    sentry:
      client_secrets: [env:SENTRY, env:OLD]
      installations: [7a485448-a9e2-4c85-8a3c-{0:012x}]
    splunk:
      - name: main
        url: https://http-inputs-{0}.splunkcloud.com
        hec_token: env:HEC
        index: sentry
        routes:
          - when: {{project: [checkout], level: [fatal, error]}}
            index: sentry_prod"""
    environ = {name.removeprefix("env:"): value.decode() for name, value in SECRETS.items()}
    took: list[float] = []
    for count in (2_500, 10_000):
        lines = ["tenants:", *map(one.format, range(count))]
        lines.append("shared_integrations: [{client_secrets: [env:SHARED]}]\n")
        path = tmp_path / "tenants.yaml"
        path.write_text("\n".join(lines))
        began = time.process_time()
        snapshot = Registry.load(path, environ=environ).snapshot
        took.append(time.process_time() - began)
        assert len(snapshot.by_installation) == count
    assert took[1] / took[0] < 10, "it grows by more than the number of tenants: that would be 4, its square 16"


@pytest.mark.parametrize(
    ("own", "beside", "share"),
    [(None, True, 0.5), (None, False, 1.0), (0.7, True, 0.7), ("0.7", False, 0.7), (1, True, 1)],
)
def test_a_tenants_share_of_the_spool_is_its_own_or_half_or_all(
    own: float | str | None, share: float, *, beside: bool
) -> None:
    """All if there is nobody to leave room for."""
    wanted = document()
    if own is not None:
        wanted["tenants"]["acme"]["spool_share"] = own
    if beside:
        wanted["tenants"]["globex"] = document()["tenants"]["acme"]
    assert snapshot_of(wanted, resolve=resolve).spool_share("acme") == share


@pytest.mark.parametrize("own", [0, 1.5, -1, "nan"])
def test_a_share_that_is_no_part_of_the_spool_is_refused(own: object) -> None:
    """With the place and what is right."""
    wanted = document()
    wanted["tenants"]["acme"]["spool_share"] = own
    assert "tenants.acme.spool_share: must be a part of the spool: more than 0, and 1 at most" in refusal(wanted)
