"""A fault of the connection to Splunk as a plain value. No text of an exception is used: it may quote what was sent."""

import re
import ssl
from collections.abc import Iterator, Sequence

import httpx

from app.splunk.answers import Answer, Fault
from app.splunk.tls import NotPinnedError

LEAKS = (AttributeError, OSError, RuntimeError, ValueError)
"""What comes through httpx as it is: an alert of TLS while the answer is read (``ssl.SSLError``), or, where a
connection is reset while it is being made, anyio asking uvloop's closed transport who its peer is. One address that
does so must not end the relay.
"""
_ALERT = re.compile(r"^(tls|ssl)v\d+ alert ")
_REFUSED_CERTIFICATE = re.compile("the other side says: .*(certificate|unknown ca)")
"""TLS 1.3 tells the relay that its certificate is refused, or missing, when it reads the answer. The handshake has
failed then, and nothing that was sent after it was looked at.
"""


def answer_of(fault: Exception, *, sent: bool) -> Answer:
    """What a fault of httpx means; ``sent``: something of the request's body went out before."""
    if isinstance(fault, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return Answer(fault=Fault.UNSENDABLE, detail="the hec_token or the address holds a forbidden character")
    if isinstance(fault, httpx.ProxyError):
        return Answer(fault=Fault.PROXY_FAILED, detail=_proxy_detail(fault))
    tls = _tls_detail(fault)
    if tls is not None and (not sent or _REFUSED_CERTIFICATE.search(tls)):
        return Answer(fault=Fault.TLS_FAILED, detail=tls)
    timeout = isinstance(fault, httpx.TimeoutException)
    if sent:
        return Answer(fault=Fault.READ_TIMEOUT if timeout else Fault.RESET_AFTER_SENT, detail=tls or "")
    if timeout:
        return Answer(fault=Fault.TIMEOUT_BEFORE_SENT)
    return Answer(fault=Fault.CONNECT_FAILED, detail=_os_detail(fault))


def by_way(answer: Answer, proxy: str | None, unused_proxies: Sequence[str]) -> str:
    """The words for a request that did not get through: with the proxy, or that there is none, where that matters."""
    words, fault = answer.detail, answer.fault
    if proxy is not None and fault is Fault.PROXY_FAILED:
        return f"{proxy} {words}"
    if proxy is not None and fault in _UNREACHED:
        return f"{words}, by way of the proxy {proxy}".removeprefix(", ")
    if proxy is None and fault in _UNREACHED and fault is not Fault.TLS_FAILED and unused_proxies:
        hint = f"{', '.join(unused_proxies)} of the environment is not used, a proxy stands in the tenants file"
        return f"{words}; {hint}".removeprefix("; ")
    return words


_UNREACHED = frozenset({Fault.CONNECT_FAILED, Fault.TIMEOUT_BEFORE_SENT, Fault.TLS_FAILED})
_PROXY_WORDS = {
    403: "does not let the relay through",
    407: "does not take the credentials in proxy.credentials, or wants some",
    502: "cannot reach the address",
    503: "cannot reach the address",
    504: "cannot reach the address in time",
}


def _proxy_detail(fault: httpx.ProxyError) -> str:
    """What a proxy answered that opened no way. Only the status is taken over: the rest is somebody's free text."""
    status = str(fault).partition(" ")[0]
    if not (status.isascii() and status.isdigit()):
        return "answers with something else than HTTP"
    words = _PROXY_WORDS.get(int(status))
    return f"{words} (HTTP {status})" if words else f"answers with HTTP {status}"


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """The fault, and what it came of."""
    seen: BaseException | None = fault
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _tls_detail(fault: BaseException) -> str | None:
    """The words of the TLS fault behind ``fault``, if there is one."""
    for cause in _causes(fault):
        if isinstance(cause, NotPinnedError):
            return str(cause)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message.rstrip(".")
        if isinstance(cause, ssl.SSLError):
            return _ALERT.sub("the other side says: ", (cause.reason or "handshake failed").replace("_", " ").lower())
    return None


def _os_detail(fault: BaseException) -> str:
    """What the system says about a connection that failed, from its error number alone."""
    return next((cause.strerror for cause in _causes(fault) if isinstance(cause, OSError) and cause.strerror), "")
