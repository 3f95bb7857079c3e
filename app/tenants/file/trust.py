"""What a tenants file may say although it weakens the trust in signatures: words for the check and the start. Pure."""

import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from app.model import Secret
from app.secrets.references import FileVersion
from app.tenants.model import Snapshot, Tenant
from app.tenants.proxies import proxy_variables

SECRET_BYTES_MIN: Final = 16
"""A client secret of Sentry has 64 characters; one of fewer bytes than this can be found by trying."""


def weak_secrets(tenants: Mapping[str, Tenant], shared: tuple[Secret, ...]) -> Iterator[str]:
    """A sentence for each client secret that is short, and for each that several tenants have. Holds no value."""
    holders: defaultdict[bytes, dict[str, list[str]]] = defaultdict(dict)
    for name, secret in _client_secrets(tenants, shared):
        holders[secret.value].setdefault(name, []).append(secret.name)
        if len(secret.value) < SECRET_BYTES_MIN:
            yield f"{name}: {secret.name} has fewer than {SECRET_BYTES_MIN} bytes, so it can be guessed"
    for of in holders.values():
        if len(of) > 1:
            names = ", ".join(sorted(of))
            references = ", ".join(sorted({reference for found in of.values() for reference in found}))
            yield f"{names}: have the same client secret ({references}), so each can send hooks in another's name"


def unbound_installations(tenants: Mapping[str, Tenant], integrations: int) -> Iterator[str]:
    """A sentence for each tenant whose installations any of several shared integrations can sign for."""
    if integrations > 1:
        for name, tenant in tenants.items():
            if tenant.installations and not tenant.shared_references:
                yield (
                    f"{name}: its installations are bound to none of the {integrations} shared integrations, so that "
                    "any of them can send in its name; name each integration and set sentry.shared_integration"
                )


def exposed_files(versions: Mapping[Path, FileVersion | None], secret: Collection[Path]) -> Iterator[str]:
    """A sentence for each file that everybody on the machine may change, and for each ``secret`` one they may read."""
    for path, version in versions.items():
        if version is None:
            continue
        if version.mode & stat.S_IWOTH:
            yield f"{path}: everybody on this machine may change it (mode {stat.S_IMODE(version.mode):04o})"
        elif version.mode & stat.S_IROTH and path in secret:
            yield f"{path}: everybody on this machine may read it (mode {stat.S_IMODE(version.mode):04o})"


def is_private(value: bytes) -> bool:
    """Whether a file is a secret, and not certificates alone, which everybody may see."""
    return b"-----BEGIN CERTIFICATE-----" not in value or b"PRIVATE KEY-----" in value


def unused_proxies(snapshot: Snapshot, environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence where the environment names a proxy and a destination has none: it is reached directly."""
    named = proxy_variables(environ)
    direct = [
        f"{tenant.name}/{destination.name}"
        for tenant in snapshot.tenants.values()
        for destination in tenant.destinations
        if destination.proxy is None
    ]
    if named and direct:
        more = f" and {len(direct) - 1} more" if len(direct) > 1 else ""
        yield (
            f"{', '.join(named)} of the environment is not used: {direct[0]}{more} is reached directly; "
            "where a proxy is needed, it stands in the destination's proxy"
        )


def _client_secrets(tenants: Mapping[str, Tenant], shared: tuple[Secret, ...]) -> Iterator[tuple[str, Secret]]:
    for name, tenant in tenants.items():
        for secret in (*tenant.client_secrets, *tenant.legacy_keys):
            yield name, secret
    for secret in shared:
        yield "shared_integrations", secret
