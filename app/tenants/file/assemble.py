"""From the document of the tenants file to a snapshot, and from one snapshot to the next when secrets rotate.

Pure but for ``resolve``, which is handed in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import cast

from pydantic import ValidationError

from app.errors import ConfigError
from app.globs import Glob
from app.model import Secret
from app.secrets.last_good import LastGoodSecrets, Resolve, Rule
from app.tenants.file import rules
from app.tenants.file.document import (
    PrivacyEntry,
    ProxyEntry,
    RouteEntry,
    SplunkEntry,
    TenantEntry,
    TenantsEntry,
    TlsEntry,
    WhenEntry,
    faults_of,
)
from app.tenants.file.faults import Fault, Locate, Where, config_error, nowhere
from app.tenants.file.trust import unbound_installations, weak_secrets
from app.tenants.model import Ack, Destination, Match, Proxy, Route, Snapshot, Tenant, Tls
from app.tenants.privacy import Detail, Policy, Privacy, mask

NO_NAMES: frozenset[str] = frozenset()
NOTHING_KEPT: Mapping[str, bytes] = MappingProxyType({})


def snapshot_of(
    document: object,
    *,
    resolve: Resolve,
    good: Mapping[str, bytes] = NOTHING_KEPT,
    file: str = "tenants",
    locate: Locate = nowhere,
) -> Snapshot:
    """Check a document of the tenants file and resolve its secrets.

    Args:
        document: mappings, lists and text as the file has them.
        resolve: gives the value of ``env:NAME`` or ``file:PATH``, or raises ``ConfigError``.
        good: values that stay in force for references that do not resolve now.
        file: how errors call the document.
        locate: gives line and column of each place, for errors.

    Raises:
        ConfigError: every fault, with path and place, and no value of a secret.
    """
    if document is None:
        raise ConfigError(f"{file}: is empty; it must have the key tenants with at least one tenant")
    try:
        entry = TenantsEntry.model_validate(document)
    except ValidationError as error:
        raise config_error(faults_of(error), file=file, locate=locate) from None
    assembly = _Assembly(LastGoodSecrets(resolve, good))
    snapshot = assembly.snapshot(entry)
    faults = [*_conflicts(entry), *assembly.faults]
    if faults:
        raise config_error(faults, file=file, locate=locate)
    return snapshot


def rotated(snapshot: Snapshot, keeping: LastGoodSecrets, *, tenant: str | None = None) -> Snapshot:
    """The same tenants with their secrets resolved again; the very same object if none changed.

    ``tenant`` limits the resolving to one tenant's references; a value that changed is taken over by every
    tenant that names it. Every reference of ``snapshot`` must have its value in ``keeping``.
    """
    fresh: dict[str, bytes] = {}
    for secret, rule in _uses(snapshot, tenant):
        value = keeping.secret(secret.name, rule).value
        if value != secret.value:
            fresh[secret.name] = value
    fresh = {name: value for name, value in fresh.items() if not keeping.keeps(name)}
    unresolved = keeping.unresolved(snapshot.unresolved)
    if not fresh:
        return snapshot if unresolved == snapshot.unresolved else replace(snapshot, unresolved=unresolved)
    tenants = {name: _with_values(each, fresh) for name, each in snapshot.tenants.items()}
    return _snapshot_of(tenants, _fresh(snapshot.shared_secrets, fresh), unresolved, snapshot.warnings)


def _snapshot_of(
    tenants: dict[str, Tenant], shared: tuple[Secret, ...], unresolved: Sequence[str], warnings: Sequence[str]
) -> Snapshot:
    """A snapshot that nobody can change."""
    by_installation = {uuid: tenant for tenant in tenants.values() for uuid in tenant.installations}
    return Snapshot(
        tenants=MappingProxyType(tenants),
        by_installation=MappingProxyType(by_installation),
        shared_secrets=shared,
        unresolved=unresolved,
        warnings=warnings,
    )


class _Assembly:
    """Builds a snapshot out of a document that has the right shape, collecting what does not resolve."""

    def __init__(self, keeping: LastGoodSecrets) -> None:
        self.faults: list[Fault] = []
        self._keeping = keeping

    def snapshot(self, entry: TenantsEntry) -> Snapshot:
        """The whole; of use only if ``faults`` is empty afterwards."""
        references = _shared_references(entry)
        tenants = {name: self._tenant(name, tenant, references) for name, tenant in entry.tenants.items()}
        found: list[Secret] = []
        for number, integration in enumerate(entry.shared_integrations):
            where: Where = ("shared_integrations", number, "client_secrets")
            found += self._secrets(integration.client_secrets, rules.client_secret, where)
        shared = tuple(dict.fromkeys(found))
        warnings = (
            *_warnings(entry),
            *unbound_installations(tenants, len(entry.shared_integrations)),
            *weak_secrets(tenants, shared),
        )
        return _snapshot_of(tenants, shared, self._keeping.unresolved(), warnings)

    def _tenant(self, name: str, entry: TenantEntry, shared: Mapping[str | None, frozenset[str]]) -> Tenant:
        where: Where = ("tenants", name, "sentry")
        sentry = entry.sentry
        privacy = self._privacy(entry.privacy, ("tenants", name, "privacy"))
        return Tenant(
            name=name,
            client_secrets=self._secrets(sentry.client_secrets, rules.client_secret, (*where, "client_secrets")),
            installations=frozenset(sentry.installations),
            shared_references=shared.get(sentry.shared_integration, frozenset()) if sentry.installations else NO_NAMES,
            legacy_keys=self._secrets(sentry.legacy_keys, rules.legacy_key, (*where, "legacy_keys")),
            destinations=tuple(
                replace(
                    self._destination(name, each, ("tenants", name, "splunk", number)),
                    detail=cast("Detail", each.detail or entry.detail),
                    privacy=privacy,
                    own_projects=frozenset(sentry.own_projects),
                )
                for number, each in enumerate(entry.splunk)
            ),
            destination_names=tuple(each.name for each in entry.splunk),
            privacy=privacy,
            spool_share=entry.spool_share,
        )

    def _privacy(self, entry: PrivacyEntry, where: Where) -> Privacy:
        key = None
        if entry.hash_key is not None:
            key = self._secret(entry.hash_key, rules.hash_key, (*where, "hash_key"))
        return Privacy(
            email=cast("Policy", entry.email),
            ip=cast("Policy", entry.ip),
            name=cast("Policy | None", entry.name),
            hash_key=key,
            drop_paths=tuple(tuple(each.replace("{}", "").split(".")) for each in entry.drop_paths),
            masks=tuple(map(mask, entry.mask)),
        )

    def _destination(self, tenant: str, entry: SplunkEntry, where: Where) -> Destination:
        return Destination(
            tenant=tenant,
            name=entry.name,
            url=entry.addresses[0],
            more_urls=entry.addresses[1:],
            proxy=None if entry.proxy is None else self._proxy(entry.proxy, (*where, "proxy")),
            ack=Ack(poll_s=entry.ack_poll_s, expiry_s=entry.ack_expiry_s) if entry.ack else None,
            heartbeat_s=entry.heartbeat,
            hec_token=self._secret(entry.hec_token, rules.hec_token, (*where, "hec_token")),
            hec_token_ref=entry.hec_token,
            index=entry.index,
            sourcetype=entry.sourcetype,
            hec_source=entry.hec_source,
            host=entry.host,
            routes=tuple(map(_route, entry.routes)),
            tls=self._tls(entry.tls, (*where, "tls")) if entry.tls is not None else Tls(),
        )

    def _tls(self, entry: TlsEntry, where: Where) -> Tls:
        return Tls(
            verify=entry.verify,
            ca_file=self._file(entry.ca_file, rules.certificates, (*where, "ca_file")),
            server_name=entry.server_name,
            pin_sha256=frozenset(entry.pin_sha256),
            client_cert=self._file(entry.client_cert, rules.certificates, (*where, "client_cert")),
            client_key=self._file(entry.client_key, rules.private_key, (*where, "client_key")),
        )

    def _proxy(self, entry: ProxyEntry, where: Where) -> Proxy:
        credentials = None
        if entry.credentials is not None:
            credentials = self._secret(entry.credentials, rules.proxy_credentials, (*where, "credentials"))
        ca_file = self._file(entry.ca_file, rules.certificates, (*where, "ca_file"))
        return Proxy(url=entry.url, credentials=credentials, ca_file=ca_file)

    def _file(self, name: str | None, rule: Rule, where: Where) -> Secret | None:
        """A file of certificates or with a key, under the reference that would name it."""
        return None if name is None else self._secret(f"file:{name}", rule, where)

    def _secrets(self, references: tuple[str, ...], rule: Rule, where: Where) -> tuple[Secret, ...]:
        found = (self._secret(each, rule, (*where, number)) for number, each in enumerate(references))
        return tuple(each for each in found if each is not None)

    def _secret(self, reference: str, rule: Rule, where: Where) -> Secret | None:
        try:
            return self._keeping.secret(reference, rule)
        except ConfigError as error:
            self.faults.append(Fault(where, str(error)))
            return None


def _shared_references(entry: TenantsEntry) -> dict[str | None, frozenset[str]]:
    """The references of each shared integration, by its name; by ``None`` those of the only one."""
    found: dict[str | None, frozenset[str]] = {
        integration.name: frozenset(integration.client_secrets)
        for integration in entry.shared_integrations
        if integration.name is not None
    }
    if len(entry.shared_integrations) == 1:
        found[None] = frozenset(entry.shared_integrations[0].client_secrets)
    return found


def _route(entry: RouteEntry) -> Route:
    return Route(
        when=_match(entry.when),
        index=entry.index,
        sourcetype=entry.sourcetype,
        hec_source=entry.hec_source,
        drop=entry.drop,
        sample=entry.sample,
    )


def _match(entry: WhenEntry) -> Match:
    said = {key: wanted for key, wanted in entry if wanted is not None and key != "tag"}
    tags = {f"tag:{name}": wanted for name, wanted in (entry.tag or {}).items()}
    return Match(MappingProxyType(said | tags))


def _conflicts(entry: TenantsEntry) -> Iterator[Fault]:
    """What two entries may not share."""
    claimed: dict[str, str] = {}
    integrations = [integration.name for integration in entry.shared_integrations]
    for number, integration in enumerate(integrations):
        if integration is not None and integration in integrations[:number]:
            yield Fault(("shared_integrations", number, "name"), "is another integration's already; names must differ")
    for name, tenant in entry.tenants.items():
        if tenant.sentry.shared_integration not in (None, *integrations):
            where: Where = ("tenants", name, "sentry", "shared_integration")
            yield Fault(where, "is the name of none of the shared_integrations")
        for number, uuid in enumerate(tenant.sentry.installations):
            holder = claimed.setdefault(uuid, name)
            where = ("tenants", name, "sentry", "installations", number)
            if holder != name:
                yield Fault(where, f"tenant {holder} has this installation already; it can belong to one only")
        names = [each.name for each in tenant.splunk]
        for number, destination in enumerate(names):
            if destination in names[:number]:
                where = ("tenants", name, "splunk", number, "name")
                yield Fault(where, f"this tenant has a destination {destination} already; names must differ")
        yield from _not_allowed(name, tenant)


def _not_allowed(name: str, tenant: TenantEntry) -> Iterator[Fault]:
    """What destinations and routes name although the tenant's ``allow`` does not."""
    for key, allowed in tenant.allow:
        if allowed is None:
            continue
        for number, destination in enumerate(tenant.splunk):
            here: Where = ("tenants", name, "splunk", number)
            places: list[tuple[Where, SplunkEntry | RouteEntry]] = [(here, destination)]
            places += [((*here, "routes", at), route) for at, route in enumerate(destination.routes)]
            for where, entry in places:
                said = getattr(entry, key)
                if said is not None and not any(Glob(pattern).matches(said) for pattern in allowed):
                    yield Fault((*where, key), f"is not one that the tenant's allow.{key} names")


def _warnings(entry: TenantsEntry) -> Iterator[str]:
    """What is allowed and yet worth a word."""
    for name, tenant in entry.tenants.items():
        for destination in tenant.splunk:
            who = f"{name}/{destination.name}"
            if destination.addresses[0].startswith("http://"):
                yield f"{who}: its url is plain http, so the hec_token and everything else travels in the clear"
            proxy = destination.proxy
            if proxy is not None and proxy.credentials is not None and proxy.url.startswith("http://"):
                yield f"{who}: its proxy's url is plain http, so proxy.credentials travel in the clear"
            if destination.tls is not None and not destination.tls.verify:
                yield f"{who}: tls.verify is off, so anybody on the way can take the hec_token and the hooks"
        if tenant.sentry.installations and not entry.shared_integrations:
            yield f"{name}: it has installations, but the file has no shared_integrations to verify their hooks"


def _uses(snapshot: Snapshot, only: str | None) -> Iterator[tuple[Secret, Rule]]:
    """Every secret in force and the rule of its use; of one tenant or of all."""
    names = snapshot.tenants.keys() if only is None else snapshot.tenants.keys() & {only}
    for name in names:
        tenant = snapshot.tenants[name]
        yield from ((each, rules.client_secret) for each in tenant.client_secrets)
        yield from ((each, rules.legacy_key) for each in tenant.legacy_keys)
        if tenant.privacy.hash_key is not None:
            yield tenant.privacy.hash_key, rules.hash_key
        for destination in tenant.destinations:
            yield from _uses_of(destination)
    if only is None:
        yield from ((each, rules.client_secret) for each in snapshot.shared_secrets)


def _uses_of(destination: Destination) -> Iterator[tuple[Secret, Rule]]:
    tls, proxy = destination.tls, destination.proxy or Proxy(url="")
    uses = (
        (destination.hec_token, rules.hec_token),
        (tls.ca_file, rules.certificates),
        (tls.client_cert, rules.certificates),
        (tls.client_key, rules.private_key),
        (proxy.credentials, rules.proxy_credentials),
        (proxy.ca_file, rules.certificates),
    )
    yield from ((secret, rule) for secret, rule in uses if secret is not None)


def _with_values(tenant: Tenant, fresh: Mapping[str, bytes]) -> Tenant:
    """The tenant with these values for the references that have one; the very same if none has."""
    key = tenant.privacy.hash_key
    keys = () if key is None else (key,)
    names = {each.hec_token_ref for each in tenant.destinations}
    names.update(secret.name for each in tenant.destinations for secret in each.secrets)
    names.update(each.name for each in (*tenant.client_secrets, *tenant.legacy_keys, *keys))
    if not fresh.keys() & names:
        return tenant
    privacy = tenant.privacy
    if key is not None and key.name in fresh:
        privacy = replace(privacy, hash_key=Secret(key.name, fresh[key.name]))
    return replace(
        tenant,
        client_secrets=_fresh(tenant.client_secrets, fresh),
        legacy_keys=_fresh(tenant.legacy_keys, fresh),
        privacy=privacy,
        destinations=tuple(_with_fresh(replace(each, privacy=privacy), fresh) for each in tenant.destinations),
    )


def _with_fresh(destination: Destination, fresh: Mapping[str, bytes]) -> Destination:
    """The destination with these values."""

    def renewed(secret: Secret | None) -> Secret | None:
        return None if secret is None else Secret(secret.name, fresh.get(secret.name, secret.value))

    reference, tls, proxy = destination.hec_token_ref, destination.tls, destination.proxy
    if reference in fresh:
        destination = replace(destination, hec_token=Secret(reference, fresh[reference]))
    if tls.files:
        tls = replace(
            tls,
            ca_file=renewed(tls.ca_file),
            client_cert=renewed(tls.client_cert),
            client_key=renewed(tls.client_key),
        )
    if proxy is not None:
        proxy = replace(proxy, credentials=renewed(proxy.credentials), ca_file=renewed(proxy.ca_file))
    return replace(destination, tls=tls, proxy=proxy)


def _fresh(secrets: tuple[Secret, ...], fresh: Mapping[str, bytes]) -> tuple[Secret, ...]:
    return tuple(Secret(each.name, fresh.get(each.name, each.value)) for each in secrets)
