"""``relay explain``: what would become of a payload, without sending anything anywhere."""

import difflib
import hmac
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import click
import orjson

from app.errors import BadSignature, ConfigError, EnvelopeFault
from app.model import Hook, Secret
from app.secrets.references import References
from app.sentry.signature import Headers, Receipt, read_headers, recognise, verify
from app.sentry.signature_hints import explain_failure
from app.settings import load_settings
from app.splunk.encode import encode
from app.tenants.model import Destination, Tenant
from app.tenants.registry import Registry
from app.transform.compose import Explained, Filtered, explain
from app.transform.schema.fields import HEAD_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The options of one run, as given."""

    file: BinaryIO
    tenant: str
    destination: str | None
    resource: str
    headers: tuple[str, ...]
    secret_ref: str | None
    behind_key: bool
    pretty: bool


@click.command("explain", context_settings={"max_content_width": 110})
@click.argument("file", type=click.File("rb"))
@click.option("--tenant", required=True, metavar="NAME", help="As whose hook the payload is looked at.")
@click.option("--destination", metavar="NAME", help="One of the tenant's destinations; without it, each.")
@click.option("--resource", default="", help="Sentry-Hook-Resource, where no --header gives it.")
@click.option("--header", "headers", multiple=True, metavar="LINE", help='A header as it came: "Name: value".')
@click.option("--secret", "secret_ref", metavar="REF", help="Verify with this instead of the tenant's: env: or file:.")
@click.option("--legacy", "behind_key", is_flag=True, help="It came unsigned, behind a key in the URL.")
@click.option("--pretty", is_flag=True, help="The hec_event over many lines, instead of as it would be posted.")
def explain_command(**options: Any) -> None:  # noqa: ANN401 - click hands over what the options above declare
    """Say what would become of the payload in FILE (- is standard input); nothing is stored or sent.

    Shows whether the signature is right (if one is given), which resource and action it is, which route it takes at
    each destination, the hec_event exactly as it would be posted, and its size. Exit status: 0, or 1 if the
    signature is wrong or a hec_event could not be sent.
    """
    wanted = _Wanted(**options)
    try:
        settings = load_settings(os.environ)
        snapshot = Registry.load(settings.tenants_file, environ=os.environ).snapshot
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    tenant = snapshot.tenants.get(wanted.tenant)
    if tenant is None:
        near = difflib.get_close_matches(wanted.tenant, snapshot.tenants, n=1)
        hinted = f"; the nearest one is {near[0]}" if near else ""
        raise click.BadParameter(f"the file has no tenant {wanted.tenant!r}{hinted}", param_hint="--tenant")
    hook, fine = _hook(wanted, replace(tenant, client_secrets=_secrets(wanted, tenant, snapshot.shared_secrets)))
    for destination in _destinations(wanted, tenant):
        for explained in explain(hook, destination, event_bytes_max=settings.event_bytes_max):
            fine = _tell(destination, explained, pretty=wanted.pretty) and fine
    raise SystemExit(0 if fine else 1)


def _destinations(wanted: _Wanted, tenant: Tenant) -> Sequence[Destination]:
    if wanted.destination is None:
        return tenant.destinations
    found = [each for each in tenant.destinations if each.name == wanted.destination]
    if not found:
        names = ", ".join(tenant.destination_names)
        raise click.BadParameter(f"the tenant's destinations are {names}", param_hint="--destination")
    return found


def _secrets(wanted: _Wanted, tenant: Tenant, shared: Sequence[Secret]) -> tuple[Secret, ...]:
    if wanted.secret_ref is None:
        return (*tenant.client_secrets, *(shared if tenant.installations else ()))
    if not wanted.secret_ref.startswith(("env:", "file:")):
        raise click.BadParameter("a secret is given as env:NAME or file:PATH, never as itself", param_hint="--secret")
    try:
        return (Secret(wanted.secret_ref, References(os.environ, Path()).resolve(wanted.secret_ref)),)
    except ConfigError as fault:
        raise click.BadParameter(f"{wanted.secret_ref}: {fault}", param_hint="--secret") from None


def _hook(wanted: _Wanted, tenant: Tenant) -> tuple[Hook, bool]:
    """The hook that the payload is or would be, and whether nothing was wrong with its signature."""
    body, now = wanted.file.read(), time.time()
    raw = [_header(line) for line in wanted.headers]
    headers = read_headers(raw)
    headers.resource = headers.resource or wanted.resource
    if wanted.behind_key:
        key = tenant.legacy_keys[0] if tenant.legacy_keys else Secret("", b"")
        _say("verification", "nothing is signed; the key in the URL lets it in")
        return recognise(body, headers, key, tenant=tenant.name, receipt=Receipt(now)), True
    if headers.signatures:
        try:
            hook = verify(body, headers, tenant.client_secrets, tenant=tenant.name, receipt=Receipt(now))
        except BadSignature as refusal:
            words = explain_failure(body, headers, tenant.client_secrets, raw=dict(raw))
            _say("verification", f"{refusal.code} ({refusal.reason}): {words}")
            _say("", "what follows is what would come of it if the signature were right")
            return _as_if_signed(body, headers, tenant, now), False
        _say("verification", f"verified with {hook.verified_with}")
        return hook, True
    _say("verification", "not tried: no signature was given (--header 'Sentry-Hook-Signature: ...')")
    return _as_if_signed(body, headers, tenant, now), True


def _as_if_signed(body: bytes, headers: Headers, tenant: Tenant, now: float) -> Hook:
    """The hook that it would be if the first of the tenant's secrets had signed it."""
    secret = tenant.client_secrets[0] if tenant.client_secrets else Secret("", b"none")
    sender = "service_hook" if headers.service_hook_signature else "integration"
    signature = hmac.digest(secret.value, body, "sha256").hex().encode()
    headers = replace(headers, signature=signature, service_hook_signature=b"", signatures=1)
    hook = verify(body, headers, (secret,), tenant=tenant.name, receipt=Receipt(now))
    return replace(hook, sender="service_hook" if sender == "service_hook" else "integration")


def _header(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon:
        raise click.BadParameter("a header is given as 'Name: value'", param_hint="--header")
    return name.strip().lower().encode(), value.strip().encode()


def _tell(destination: Destination, explained: Explained, *, pretty: bool) -> bool:
    kind = explained.kind
    _say("destination", f"{destination.tenant}/{destination.name}")
    known = "" if kind.known else ", which this version cannot read as a known one"
    _say("  hook", f"{kind.resource}.{kind.action}{known}{_flags(kind.flags)}")
    _say("  route", _route(destination, explained.route))
    made = explained.made
    if isinstance(made, Filtered):
        _say("  filtered", f"{made.reason}; nothing would be posted")
        return True
    try:
        envelope = encode(made, delivery_id=str(made.event["delivery_id"]))
    except EnvelopeFault as fault:
        _say("  refused", f"it would become a dead letter: {fault}")
        return False
    head = {name: made.event[name] for name in HEAD_NAMES if name in made.event}
    sizes = (f"{len(envelope):,} bytes", f"event {len(made.event_json):,}", f"head {len(orjson.dumps(head)):,}")
    _say("  size", ", ".join(sizes))
    shown = orjson.dumps(orjson.loads(envelope), option=orjson.OPT_INDENT_2) if pretty else envelope
    click.echo(shown.decode())
    return True


def _flags(flags: tuple[str, ...]) -> str:
    return f" ({', '.join(flags)})" if flags else ""


def _route(destination: Destination, number: int | None) -> str:
    if number is None:
        return "none of the routes matches" if destination.routes else "the destination has none"
    route = destination.routes[number]
    when = ", ".join(f"{key}: {'|'.join(wanted)}" for key, wanted in route.when.conditions.items())
    values = [(name, getattr(route, name)) for name in ("index", "sourcetype", "hec_source", "sample")]
    said = ", ".join(f"{name} {value}" for name, value in values if value is not None)
    return f"{number + 1} of {len(destination.routes)}, for {when}{f': {said}' if said else ''}"


def _say(what: str, words: str) -> None:
    click.echo(f"{what:<14}{words}")
