"""The nginx configurations are such to nginx, and give the relay what it needs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.settings import Settings
from tests.unit.deploy_times import seconds
from tests.unit.pages import ROOT, text

FILES = [ROOT / "deploy/nginx/relay.conf", ROOT / "deploy/compose/nginx.conf"]
NGINX = shutil.which("nginx")
by_file = pytest.mark.parametrize("file", FILES, ids=["one", "replicas"])


def value(file: Path, directive: str) -> str:
    """What a directive says, wherever it stands."""
    [found] = set(re.findall(rf"^\s*{directive} ([^;]+);", text(file), re.MULTILINE))
    return str(found)


@by_file
def test_it_gives_the_relay_what_it_needs(file: Path) -> None:
    """Large bodies, whole before the relay sees them; /sentry alone; no redirect; idle connections closed in time."""
    assert int(value(file, "client_max_body_size").replace("m", "000000")) >= Settings().body_bytes_max
    assert value(file, "proxy_request_buffering") == "on"
    assert value(file, "proxy_http_version") == "1.1"
    assert seconds(value(file, "keepalive_timeout")) < Settings().keepalive_s
    locations = re.findall(r"^\s*location (?:~ \^)?(\S+) \{(.*)$", text(file), re.MULTILINE)
    assert ("/", " return 404; }") in locations
    assert all(location.startswith("/sentry") for location, _ in locations if location != "/")
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text(file)
    assert int(value(file, "limit_conn senders")) >= 100
    assert "return 30" not in text(file)
    assert "proxy_redirect" not in text(file)


def test_legacy_keys_stand_in_no_access_log() -> None:
    """They are part of the path."""
    assert "access_log off;" in text(FILES[0]).partition("/legacy/")[2]
    assert "access_log off;" in text(FILES[1])


@by_file
@pytest.mark.skipif(NGINX is None, reason="NO NGINX: its configurations are not tried (Debian: apt-get install nginx)")
def test_nginx_takes_it(file: Path, tmp_path: Path) -> None:
    """``nginx -t``, with a certificate, and addresses where only compose has names."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    said = text(file).replace("/tmp/", f"{tmp_path}/")  # noqa: S108 - nginx's own
    said = re.sub(r"relay-\d:8080", "127.0.0.1:8080", said)
    said = re.sub(r"(ssl_certificate) \S+;", rf"\1 {certificate};", said)
    said = re.sub(r"(ssl_certificate_key) \S+;", rf"\1 {key};", said)
    if file.name == "relay.conf":
        (tmp_path / "site.conf").write_text(said)
        said = f"pid {tmp_path}/pid; events {{}} http {{ access_log off; include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(said)
    command = [str(NGINX), "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
