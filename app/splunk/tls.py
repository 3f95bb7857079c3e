"""TLS contexts, one for each way of checking a certificate, and pinned certificates."""

import asyncio
import hashlib
import ssl
import time
from collections.abc import Collection

from typing_extensions import override

from app.tenants.model import Tls


class TlsContexts:
    """TLS contexts by what they check, since loading the authorities takes longer than a post."""

    def __init__(self, *, age_max_s: float) -> None:
        self._age_max_s = age_max_s
        self._contexts: dict[Tls, tuple[float, ssl.SSLContext]] = {}

    async def get(self, tls: Tls) -> ssl.SSLContext:
        """The context for ``tls``; read anew (in a thread) when it is old, so that renewed files are seen.

        Its handshakes fail with ``NotPinnedError`` where the certificate is not one of those pinned.

        Raises:
            OSError: a file cannot be read or used (``ssl.SSLError`` included); ``file_at_fault`` says which.
        """
        found = self._contexts.get(tls)
        now = time.monotonic()
        if found is not None and now - found[0] < self._age_max_s:
            return found[1]
        context = await asyncio.to_thread(_load, tls)
        self._contexts[tls] = (now, context)
        return context


def _load(tls: Tls) -> ssl.SSLContext:
    """The authorities are the system's, as OpenSSL finds them, unless a CA file says which."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    # Python 3.13 refuses authorities without the extensions of RFC 5280; the one that Splunk comes with has none.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not tls.verify or (tls.pin_sha256 and tls.ca_file is None):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_cert is not None:
        # The empty password keeps OpenSSL from asking for one at the terminal.
        context.load_cert_chain(tls.client_cert, tls.client_key, password="")
    if tls.pin_sha256:
        context.sslobject_class = _pinned(tls.pin_sha256)
    return context


class NotPinnedError(ssl.SSLError):
    """The certificate that was shown is not one of those pinned; the text gives its fingerprint."""

    @override
    def __str__(self) -> str:
        return str(self.args[0])


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


def file_at_fault(tls: Tls) -> str:
    """In words, which file of ``tls`` is the one that cannot be used. Blocks for a moment."""
    try:
        ssl.create_default_context(cafile=tls.ca_file)
    except OSError:
        return "the CA file"
    return "the client certificate or its key"


def _pin_fault(certificate: bytes | None, pins: Collection[str]) -> str | None:
    """Why the certificate (DER) is not one of those pinned, in words; ``None`` if it is."""
    if certificate is None:
        return "no certificate was shown, and some are pinned"
    shown = hashlib.sha256(certificate).hexdigest()
    return None if shown in pins else f"the certificate is not one of those pinned; its SHA-256 is {shown}"
