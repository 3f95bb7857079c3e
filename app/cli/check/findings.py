"""What ``relay check`` makes of what it met, in words. Pure: no clock, no network, no secret."""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from app.splunk.answers import Answer, HecBody, Outcome, judge, judge_probe
from app.splunk.codes import Act

State = Literal["ok", "warning", "failed", "skipped"]

EXPIRY_WARNING_DAYS: Final = 21
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, why, and what a person can do about it."""

    step: str
    state: State
    words: str
    advice: str = ""
    search: str = ""
    """To be run in Splunk."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a person wants to know of a server's certificate."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    expires_at: float
    """Unix seconds."""


def certificate_of(peer: Mapping[str, object]) -> Certificate:
    """From what ``ssl.SSLSocket.getpeercert`` gives for a certificate it verified."""
    alternatives = peer.get("subjectAltName", ())
    names = tuple(str(each[1]) for each in alternatives) if isinstance(alternatives, tuple) else ()
    ends = str(peer.get("notAfter", ""))
    return Certificate(
        subject=_name(peer.get("subject")),
        issuer=_name(peer.get("issuer")),
        names=names,
        expires_at=ssl.cert_time_to_seconds(ends) if ends else 0.0,
    )


def _name(parts: object) -> str:
    """The parts of a distinguished name that people know it by."""
    if not isinstance(parts, tuple):
        return "nobody named"
    pairs = [pair for part in parts for pair in part]
    wanted = ("organizationName", "commonName")
    return ", ".join(value for key, value in pairs if key in wanted) or "nobody named"


def dns_failed(host: str) -> Finding:
    """The name does not resolve."""
    return Finding(
        "dns",
        "failed",
        f"{host} does not resolve",
        "Check the spelling. HEC of Splunk Cloud is http-inputs-STACK.splunkcloud.com on AWS, "
        "http-inputs.STACK.splunkcloud.com on Google Cloud and Azure, STACK.splunkcloud.com:8088 on a free trial.",
    )


def tcp_failed(where: str, fault: OSError, *, timeout_s: float) -> Finding:
    """Nobody takes the connection."""
    if isinstance(fault, TimeoutError):
        return Finding(
            "tcp",
            "failed",
            f"{where} does not answer within {timeout_s:g} s",
            "A firewall drops the connection, or Splunk Cloud's IP allow list for HEC lacks this machine's address.",
        )
    return Finding(
        "tcp",
        "failed",
        f"{where} cannot be reached: {fault.strerror or type(fault).__name__}",
        "HEC listens on port 8088 (Splunk Enterprise) or 443 (Splunk Cloud), and is off until it is enabled in "
        "Settings > Data inputs > HTTP Event Collector > Global Settings.",
    )


def tls_fine(certificate: Certificate, *, now: float) -> Finding:
    """The certificate verifies."""
    days = int((certificate.expires_at - now) // _DAY_S)
    words = f"{_told(certificate)}, {days} days from now"
    if days < EXPIRY_WARNING_DAYS:
        return Finding("tls", "warning", words, "Renew the certificate before then: deliveries stop that day.")
    return Finding("tls", "ok", words)


def tls_unverified() -> Finding:
    """The tenants file says not to verify."""
    return Finding(
        "tls",
        "warning",
        "encrypted, but nobody knows with whom: tls.verify is off",
        "Name the authority in tls.ca_file, and the certificate's name in tls.server_name if it is not the host.",
    )


def tls_pinned() -> Finding:
    """The certificate is one of those named in the tenants file, which is all that is checked."""
    return Finding(
        "tls", "ok", "the certificate is the one that tls.pin_sha256 names; its authority and end do not matter"
    )


def tls_unpinned(fault: str) -> Finding:
    """The certificate is another than those named."""
    return Finding(
        "tls",
        "failed",
        fault,
        "If Splunk's certificate was renewed, put this SHA-256 into tls.pin_sha256; if nobody knows why it is another, "
        "find out first: somebody may be in between.",
    )


def client_cert_unusable(file: str, why: str) -> Finding:
    """``tls.client_cert`` or its key cannot be loaded."""
    return Finding(
        "tls", "failed", f"{file} or its key cannot be used: {why}", "Both must be PEM, the key without a password."
    )


def tls_refused(fault: ssl.SSLCertVerificationError, shown: Certificate | None) -> Finding:
    """The certificate does not verify. ``shown`` is what it says, if it could be read."""
    said = f"; it is the certificate of {_told(shown)}" if shown else ""
    words = f"the certificate is not accepted: {fault.verify_message}{said}"
    if "ostname" in fault.verify_message or "IP address" in fault.verify_message:
        names = ", ".join(shown.names) if shown and shown.names else shown.subject if shown else "the name it has"
        return Finding("tls", "failed", words, f"Set tls.server_name to the name it was made for ({names}).")
    if "expired" in fault.verify_message or "not yet valid" in fault.verify_message:
        return Finding("tls", "failed", words, "Renew it in Splunk, and see that this machine's clock is right.")
    return Finding(
        "tls",
        "failed",
        words,
        "Name the authority that issued it in tls.ca_file (for Splunk's own default certificate: its cacert.pem, "
        "and tls.server_name: SplunkServerDefaultCert).",
    )


def tls_failed(fault: OSError) -> Finding:
    """No TLS comes about at all."""
    reason = getattr(fault, "reason", None) or fault.strerror or type(fault).__name__
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return Finding(
            "tls",
            "failed",
            "what listens there does not speak TLS",
            "Turn SSL on in HEC's global settings, or write http:// if you must; and check the port.",
        )
    return Finding("tls", "failed", f"no TLS connection: {str(reason).replace('_', ' ').lower()}", "Check the port.")


def ca_file_unusable(ca_file: str, why: str) -> Finding:
    """``tls.ca_file`` cannot be loaded."""
    return Finding("tls", "failed", f"{ca_file} cannot be used: {why}", "It must hold CA certificates in PEM form.")


def health(status: int, body: HecBody | None) -> Finding:
    """What ``/services/collector/health`` answers. It says nothing about the hec_token."""
    code = None if body is None else body.code
    said = f"HTTP {status}" if body is None else f"HTTP {status}, code {code}, {body.text or 'no text'}"
    if status == 200 and code == 17:  # noqa: PLR2004 - HEC is healthy (Splunk docs)
        return Finding("health", "ok", said)
    if code in {18, 19, 20, 23}:
        return Finding("health", "warning", said, "Splunk takes nothing for now; deliveries wait in the spool.")
    return Finding(
        "health",
        "warning",
        f"this is not how HEC answers: {said}",
        "Check host and port (Splunk Web listens on 8000, its management on 8089); some balancers only hide this path.",
    )


def health_failed(why: str) -> Finding:
    """Something took the connection and did not answer as an HTTP server."""
    return Finding("health", "warning", why, "Check the port; the next step says whether hec_events would pass.")


_TOKEN_ADVICE: Final = {
    1: "Enable it in Settings > Data inputs > HTTP Event Collector, and HEC itself in its Global Settings.",
    4: "Compare it with Settings > Data inputs > HTTP Event Collector; it must exist on every indexer.",
}
_ADVICE: Final = {
    Act.TENANT: "Mend the tenants file, or the hec_token in Splunk.",
    Act.SPLUNK: "Tell those who run this Splunk; deliveries wait in the spool.",
    Act.RELAY: "Look at the proxy or balancer between here and Splunk.",
}


def hec_token(reference: str, answer: Answer) -> Finding:
    """What Splunk answers to an empty post: the hec_token is looked at before the body."""
    verdict = judge_probe(answer)
    if verdict is None:
        return Finding("hec_token", "ok", f"{reference} is accepted")
    advice = _TOKEN_ADVICE.get(answer.code or 0) or _ADVICE.get(verdict.act, "")
    return Finding("hec_token", "failed", f"{reference}: {verdict.words}", advice)


_SWALLOWED: Final = (
    "That is not yet proof: Splunk swallows what goes to an index that is allowed and does not exist. This search "
    "has to find it within a minute:"
)
_INDEX_ADVICE: Final = (
    "Allow it in Settings > Data inputs > HTTP Event Collector, under the hec_token's allowed indexes, or name another "
    "index in the tenants file. Hooks for it wait in the spool; other indexes are not held up."
)


def hec_event(index: str | None, answer: Answer, search: str) -> Finding:
    """What Splunk answers to one test hec_event for ``index`` (``None``: the hec_token's default)."""
    verdict = judge(answer, 1)
    name = index or "the hec_token's default index"
    if verdict.outcome is Outcome.DELIVERED:
        return Finding("hec_event", "ok", f"{name}: Splunk took the test hec_event", _SWALLOWED, search)
    if verdict.outcome is Outcome.INDEX_REFUSED:
        return Finding("hec_event", "failed", f"{name}: {verdict.words}", _INDEX_ADVICE)
    if verdict.outcome is Outcome.UNKNOWN:
        words = f"{name}: nobody knows whether Splunk took the test hec_event: {verdict.words}"
        return Finding("hec_event", "failed", words, "If this search finds it, it did:", search)
    advice = _ADVICE.get(verdict.act, "Splunk refuses what the relay sends: please report it.")
    return Finding("hec_event", "failed", f"{name}: not taken: {verdict.words}", advice)


def unsent(indexes: Iterable[str | None]) -> Finding:
    """Nobody wanted a test hec_event."""
    names = ", ".join(each or "the hec_token's default index" for each in indexes)
    return Finding("hec_event", "skipped", f"{names}: not tried (--no-send); whether it may be written to is not known")


def acknowledged(index: str | None, after_s: float) -> Finding:
    """The test hec_event is indexed, says Splunk."""
    name = index or "the hec_token's default index"
    return Finding("ack", "ok", f"{name}: Splunk says after {after_s:.1f} s that it is indexed")


def ack_failed(index: str | None, why: str, advice: str) -> Finding:
    """The tenants file asks for acknowledgment, and none came."""
    return Finding("ack", "failed", f"{index or 'the default index of the hec_token'}: {why}", advice)


def _told(certificate: Certificate) -> str:
    ends = datetime.fromtimestamp(certificate.expires_at, UTC)
    return f"{certificate.subject}, issued by {certificate.issuer}, valid until {ends:%Y-%m-%d}"
