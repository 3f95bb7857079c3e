"""What weakens the trust in a signature is said, and installations are bound to their integration."""

from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError
from app.tenants.file.assemble import snapshot_of
from app.tenants.model import Snapshot
from app.tenants.registry import Registry

UUID = "7a485448-a9e2-4c85-8a3c-4f44175783c9"
LONG = b"a-client-secret-of-sentry"


def tenant(**sentry: Any) -> dict[str, Any]:
    """A tenant with one destination."""
    return {"sentry": sentry, "splunk": [{"name": "main", "url": "https://splunk.example", "hec_token": "env:HEC"}]}


def loaded(tenants: dict[str, Any], *, shared: Any = (), **secrets: bytes) -> Snapshot:
    """The snapshot of these tenants; a secret that is not given is a long one of its own."""

    def resolve(reference: str) -> bytes:
        return secrets.get(reference.removeprefix("env:"), LONG + reference.encode())

    return snapshot_of({"tenants": tenants, "shared_integrations": list(shared)}, resolve=resolve)


def test_a_short_client_secret_is_said() -> None:
    """By reference; the value stands nowhere."""
    warnings = loaded({"acme": tenant(client_secrets=["env:S"])}, S=b"tiny-value").warnings
    assert warnings == ("acme: env:S has fewer than 16 bytes, so it can be guessed",)
    assert not loaded({"acme": tenant(client_secrets=["env:S"])}, S=b"0123456789abcdef").warnings


@pytest.mark.parametrize("references", [("env:ONE", "env:ONE"), ("env:ONE", "env:TWO")])
def test_one_secret_at_two_tenants_is_said(references: tuple[str, str]) -> None:
    """Whether by one reference or by two with the same value."""
    first, second = references
    tenants = {"acme": tenant(client_secrets=[first]), "globex": tenant(client_secrets=[second])}
    (words,) = loaded(tenants, ONE=LONG, TWO=LONG).warnings
    assert words.startswith("acme, globex: have the same client secret")
    assert LONG.decode() not in words


def test_the_same_secret_twice_at_one_tenant_is_its_own_matter() -> None:
    """A rotation may name the old and the new one while they are still the same."""
    assert not loaded({"acme": tenant(client_secrets=["env:ONE", "env:TWO"])}, ONE=LONG, TWO=LONG).warnings


def test_installations_are_bound_to_their_integration() -> None:
    """To the one that is named, or to the only one there is."""
    first = {"name": "first", "client_secrets": ["env:FIRST", "env:FIRST_OLD"]}
    second = {"name": "second", "client_secrets": ["env:SECOND"]}
    named = loaded({"acme": tenant(installations=[UUID], shared_integration="first")}, shared=[first, second])
    assert not named.warnings
    assert [named.tenants["acme"].may_be_signed_with(f"env:{name}") for name in ("FIRST", "FIRST_OLD", "SECOND")] == [
        True,
        True,
        False,
    ]
    only = loaded({"acme": tenant(installations=[UUID])}, shared=[{"client_secrets": ["env:FIRST"]}])
    assert not only.warnings
    assert only.tenants["acme"].shared_references == {"env:FIRST"}


def test_installations_that_any_of_several_integrations_may_sign_for_are_said() -> None:
    """It is taken, as such files are in use."""
    shared = [{"client_secrets": ["env:FIRST"]}, {"client_secrets": ["env:SECOND"]}]
    snapshot = loaded({"acme": tenant(installations=[UUID])}, shared=shared)
    assert "bound to none of the 2 shared integrations" in snapshot.warnings[0]
    assert snapshot.tenants["acme"].may_be_signed_with("env:SECOND")


@pytest.mark.parametrize(
    ("sentry", "names", "words"),
    [
        ({"installations": [UUID], "shared_integration": "third"}, ("first",), "none of the shared_integrations"),
        ({"client_secrets": ["env:S"], "shared_integration": "first"}, ("first",), "has no installations"),
        ({"installations": [UUID]}, ("first", "first"), "names must differ"),
    ],
)
def test_a_wrong_name_of_an_integration_is_a_fault(sentry: Any, names: tuple[str, ...], words: str) -> None:
    """In words that say what would be right."""
    shared = [{"name": name, "client_secrets": [f"env:S{number}"]} for number, name in enumerate(names)]
    with pytest.raises(ConfigError, match=words):
        loaded({"acme": tenant(**sentry)}, shared=shared)


def test_the_sixty_fifth_destination_is_refused_when_the_file_is_read() -> None:
    """A hook has room for 64 deliveries; one more would stop accepting for every tenant."""
    acme = tenant(client_secrets=["env:S"])
    acme["splunk"] = [{**acme["splunk"][0], "name": f"d{number}"} for number in range(64)]
    assert len(loaded({"acme": acme}).tenants["acme"].destinations) == 64
    acme["splunk"].append({**acme["splunk"][0], "name": "d64"})
    with pytest.raises(ConfigError, match="splunk: has more than 64 entries"):
        loaded({"acme": acme})


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o600, None), (0o440, None), (0o644, "may read it (mode 0644)"), (0o602, "may change it (mode 0602)")],
)
def test_files_that_others_may_read_or_change_are_said(tmp_path: Path, mode: int, words: str | None) -> None:
    """Only what holds a secret is secret; nothing of it may be changed by others."""
    (tmp_path / "secret").write_bytes(LONG)
    (tmp_path / "secret").chmod(mode)
    (tmp_path / "tenants.yaml").write_text(
        "tenants: {acme: {sentry: {client_secrets: [file:secret]}, "
        "splunk: [{name: main, url: 'https://splunk.example', hec_token: env:HEC}]}}"
    )
    (tmp_path / "tenants.yaml").chmod(0o644)
    warnings = Registry.load(tmp_path / "tenants.yaml", environ={"HEC": "hec-token"}).snapshot.warnings
    assert [found for found in warnings if "secret" in found] == ([] if words is None else list(warnings))
    assert words is None or words in warnings[0]
