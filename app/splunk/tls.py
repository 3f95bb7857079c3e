"""TLS contexts, one for each way of checking a certificate, and pinned certificates."""

import asyncio
import hashlib
import os
import re
import ssl
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from typing_extensions import override

from app.model import Secret
from app.tenants.model import Tls

CA_FILE = "the CA file"
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


class UnusableFileError(Exception):
    """OpenSSL cannot use what a file of ``tls`` holds. ``what`` says which, ``why`` is OpenSSL's word."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} cannot be used: {why}")
        self.what = what
        self.why = why


class NotPinnedError(ssl.SSLError):
    """The certificate that was shown is not one of those pinned; the text gives its fingerprint."""

    @override
    def __str__(self) -> str:
        return str(self.args[0])


class TlsContexts:
    """TLS contexts by what they check, since loading the authorities takes longer than a post."""

    def __init__(self, *, age_max_s: float) -> None:
        self._age_max_s = age_max_s
        self._contexts: dict[Tls, tuple[float, ssl.SSLContext]] = {}

    async def get(self, tls: Tls) -> ssl.SSLContext:
        """The context for ``tls``; made anew (in a thread) when it is old, so that the system's authorities are seen.

        Its handshakes fail with ``NotPinnedError`` where the certificate is not one of those pinned.

        Raises:
            UnusableFileError: a file holds nothing that can be used.
        """
        now = time.monotonic()
        found = self._contexts.get(tls)
        if found is not None and now - found[0] < self._age_max_s:
            return found[1]
        context = await asyncio.to_thread(_load, tls)
        # What was rotated away is asked for no more.
        self._contexts = {each: made for each, made in self._contexts.items() if now - made[0] < self._age_max_s}
        self._contexts[tls] = (now, context)
        return context


class _Named(ssl.SSLContext):
    """Asks for, and checks, one name, whatever host is connected to; also behind a proxy."""

    name: str | None = None

    @override
    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return super().wrap_bio(incoming, outgoing, server_side, self.name or server_hostname, session)


def _load(tls: Tls) -> ssl.SSLContext:
    """The authorities are the system's, as OpenSSL finds them, unless a CA file says which."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if tls.server_name is None else _named(tls.server_name)
    # What Python 3.13 does by default, on all. Not VERIFY_X509_STRICT, which it also sets: that refuses authorities
    # without the extensions of RFC 5280, and the one that Splunk comes with has none.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not tls.verify or (tls.pin_sha256 and tls.ca_file is None):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file is None:
        context.load_default_certs()
    else:
        _trust(context, tls.ca_file)
    if tls.client_cert is not None and tls.client_key is not None:
        _show(context, tls.client_cert, tls.client_key)
    if tls.pin_sha256:
        context.sslobject_class = _pinned(tls.pin_sha256)
    return context


def _named(name: str) -> ssl.SSLContext:
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.name = name
    return context


def _trust(context: ssl.SSLContext, authorities: Secret) -> None:
    """Trust these authorities and no other. What stands around the certificates, such as their names, is skipped."""
    found = b"\n".join(_CERTIFICATE.findall(authorities.value))
    if not found:
        raise UnusableFileError(CA_FILE, "no certificate in it")
    try:
        context.load_verify_locations(cadata=found.decode())
    except ssl.SSLError as fault:
        raise UnusableFileError(CA_FILE, fault.reason or "no certificate in it") from None


def _show(context: ssl.SSLContext, certificate: Secret, key: Secret) -> None:
    """Show this certificate to whoever asks for one."""
    try:
        with _file(certificate.value) as cert_path, _file(key.value) as key_path:
            # The empty password keeps OpenSSL from asking for one at the terminal.
            context.load_cert_chain(cert_path, key_path, password="")
    except ssl.SSLError as fault:
        raise UnusableFileError("the client certificate or its key", fault.reason or "not a pair in PEM form") from None


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """A path at which OpenSSL, which takes a certificate of one's own from files alone, finds ``content``.

    The bytes are those that were checked and are in force, also while the file that they came from is being replaced.
    On Linux they touch no disk.
    """
    if sys.platform == "linux":
        descriptor = os.memfd_create("pem")
        with os.fdopen(descriptor, "wb") as memory:
            memory.write(content)
            memory.flush()
            yield f"/proc/self/fd/{descriptor}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name


def _pinned(pins: Collection[str]) -> type[ssl.SSLObject]:
    """What connections are wrapped in, so that a handshake with a stranger never ends: nothing can be sent to them.

    Python's own place for it (``SSLContext.sslobject_class``) holds for every client and every event loop.
    """

    class Pinned(ssl.SSLObject):
        @override
        def do_handshake(self) -> None:
            super().do_handshake()
            fault = _pin_fault(self.getpeercert(binary_form=True), pins)
            if fault is not None:
                raise NotPinnedError(fault)

    return Pinned


def _pin_fault(certificate: bytes | None, pins: Collection[str]) -> str | None:
    """Why the certificate (DER) is not one of those pinned, in words; ``None`` if it is."""
    if certificate is None:
        return "no certificate was shown, and some are pinned"
    shown = hashlib.sha256(certificate).hexdigest()
    return None if shown in pins else f"the certificate is not one of those pinned; its SHA-256 is {shown}"
