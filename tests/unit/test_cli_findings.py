"""What ``relay check`` says about what it met."""

import ssl
from datetime import UTC, datetime

import pytest

from app.cli.check import findings
from app.cli.check.findings import Certificate
from app.splunk.answers import Answer, Fault, HecBody

NOW = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
DAY_S = 86_400


def certificate(days: float) -> Certificate:
    """One that ends so many days from now."""
    return Certificate("Acme, splunk.acme.example", "An Authority", ("splunk.acme.example",), NOW + days * DAY_S)


def unverified(message: str) -> ssl.SSLCertVerificationError:
    """The fault that the ssl module raises."""
    fault = ssl.SSLCertVerificationError(1, "certificate verify failed")
    fault.verify_message = message
    return fault


def test_a_certificate_is_told_by_its_names_and_its_end() -> None:
    """Subject and issuer as people know them."""
    peer = {
        "subject": ((("organizationName", "Acme"),), (("commonName", "splunk.acme.example"),)),
        "issuer": ((("countryName", "XX"),), (("commonName", "An Authority"),)),
        "notAfter": "Jan 31 00:00:00 2030 GMT",
        "subjectAltName": (("DNS", "splunk.acme.example"),),
    }
    assert findings.certificate_of(peer) == certificate(30)
    assert findings.certificate_of({}) == Certificate("nobody named", "nobody named", (), 0.0)
    assert findings.tls_fine(certificate(30), now=NOW).words == (
        "Acme, splunk.acme.example, issued by An Authority, valid until 2030-01-31, 30 days from now"
    )


@pytest.mark.parametrize(("days", "state"), [(30, "ok"), (20, "warning"), (0.5, "warning")])
def test_a_certificate_that_ends_soon_is_a_warning(days: float, state: str) -> None:
    """Three weeks before."""
    assert findings.tls_fine(certificate(days), now=NOW).state == state


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("certificate has expired", "Renew it in Splunk"),
        ("Hostname mismatch, certificate is not valid for 'a'.", "tls.server_name to the name it was made for"),
        ("IP address mismatch, certificate is not valid for '::1'.", "(splunk.acme.example)"),
        ("self-signed certificate", "tls.ca_file"),
        ("unable to get local issuer certificate", "SplunkServerDefaultCert"),
    ],
)
def test_a_certificate_that_is_not_accepted_says_which_key_mends_it(message: str, advice: str) -> None:
    """The right key for each reason, whether or not the certificate could be read."""
    finding = findings.tls_refused(unverified(message), certificate(30))
    assert finding.state == "failed"
    assert advice in finding.advice
    assert message in finding.words
    assert findings.tls_refused(unverified(message), None).state == "failed"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "no TLS connection: connection reset by peer"),
        (TimeoutError(), "no TLS connection: timeouterror"),
    ],
)
def test_a_handshake_that_fails_is_told(fault: OSError, words: str) -> None:
    """Whatever the layer below says."""
    assert findings.tls_failed(fault).words == words


def test_a_connection_that_fails_is_told_by_its_kind() -> None:
    """No answer points at firewalls, a refusal at the port."""
    late = findings.tcp_failed("192.0.2.1 port 8088", TimeoutError(), timeout_s=5)
    assert late.words == "192.0.2.1 port 8088 does not answer within 5 s"
    assert "allow list" in late.advice
    shut = findings.tcp_failed("192.0.2.1 port 8088", ConnectionRefusedError(111, "Connection refused"), timeout_s=5)
    assert shut.words == "192.0.2.1 port 8088 cannot be reached: Connection refused"


@pytest.mark.parametrize(
    ("answer", "words", "advice"),
    [
        (Answer(status=403, body=HecBody(1)), "disabled", "Enable it"),
        (Answer(status=403, body=HecBody(4)), "does not know", "on every indexer"),
        (Answer(status=503, body=HecBody(9)), "busy", "deliveries wait"),
        (Answer(status=401, body=HecBody(2)), "strips the header", "proxy or balancer"),
        (Answer(status=302), "redirect", "tenants file"),
        (Answer(fault=Fault.READ_TIMEOUT), "no answer in time", "deliveries wait"),
    ],
)
def test_a_hec_token_that_is_not_accepted_says_who_must_act(answer: Answer, words: str, advice: str) -> None:
    """By reference, never by value."""
    finding = findings.hec_token("env:HEC", answer)
    assert finding.state == "failed"
    assert finding.words.startswith("env:HEC: ")
    assert words in finding.words
    assert advice in finding.advice


def test_no_data_is_the_good_answer_to_an_empty_post() -> None:
    """Splunk looks at the hec_token before the body."""
    assert findings.hec_token("env:HEC", Answer(status=400, body=HecBody(5))).state == "ok"


def test_health_that_is_not_hec_is_a_warning() -> None:
    """A balancer may hide the path; whether hec_events pass is for the next step to say."""
    assert findings.health(200, HecBody(17, "HEC is healthy")).state == "ok"
    assert findings.health(503, HecBody(18, "queues are full")).state == "warning"
    assert findings.health(200, None).state == "warning"
