"""The shipped configurations of reverse proxies, in real proxies before the real server.

Skipped where nginx (or Caddy) is absent. Only addresses, names of files and ports are changed for the test.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from essaim.live import hub as hubs
from tests.live.rooms import MINUTE, make_spec, running

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
HOST = "essaim.example.org"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CADDY = os.environ.get("ESSAIM_TEST_CADDY") or shutil.which("caddy")
PATIENCE_S = 30
STREAM = "/live/room-1/stream"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(log.read_text()[-3000:])


@dataclass(frozen=True)
class Site:
    """A server behind a proxy."""

    proxy: str
    port: int  # of the proxy, TLS
    behind: int  # of the server itself

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # made for this test
        return context

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """A browser with this address."""
        transport = httpx.HTTPTransport(verify=self.tls(), local_address=address)
        headers = {"Host": HOST, "Referer": f"https://{HOST}/"}
        base = f"https://127.0.0.1:{self.port}"
        return httpx.Client(transport=transport, base_url=base, headers=headers, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """`essaim serve` with two workers and a room."""
    folder = tmp_path_factory.mktemp("behind")
    hubs.publish(folder / "data", make_spec(running("compare", now=hubs.clock() - MINUTE)))
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ESSAIM_")}
    environ |= {
        "ESSAIM_DATA_DIR": str(folder / "data"),
        "ESSAIM_PORT": str(port),
        "ESSAIM_WORKERS": "2",
        "ESSAIM_PUBLIC_URL": f"https://{HOST}",
        "ESSAIM_TRUSTED_PROXIES": "127.0.0.1",
    }
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "essaim.cli", "serve"], env=environ, stdout=out, stderr=out
        )
    try:
        until_open(port, process, log)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def certificate(folder: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    files = ["-keyout", str(folder / "essaim.key"), "-out", str(folder / "essaim.pem")]
    subprocess.run(
        ["openssl", *words.split(), "-subj", f"/CN={HOST}", *files], check=True, capture_output=True
    )


def nginx(folder: Path, port: int, behind: int) -> list[str]:
    site = (DEPLOY / "nginx.conf").read_text()
    plain = free_port()
    for pattern, put in (
        (r"127\.0\.0\.1:8000", f"127.0.0.1:{behind}"),
        (r"listen 443", f"listen 127.0.0.1:{port}"),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"\n *listen \[::\].*", ""),
        (r"/etc/ssl/", f"{folder}/"),
    ):
        site, count = re.subn(pattern, put, site)
        assert count, pattern
    temp = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log stderr warn;"
        f"events {{ worker_connections 512; }} http {{ access_log {folder}/access.log; {temp} {site} }}"
    )
    assert NGINX is not None
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    return command


def caddy(folder: Path, port: int, behind: int) -> list[str]:
    site = (DEPLOY / "Caddyfile").read_text()
    for pattern, put in (
        (r"127\.0\.0\.1:8000", f"127.0.0.1:{behind}"),
        (r"grace_period 10s", "grace_period 1s"),
        (r"^\{", "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust"),
        (
            r"\nessaim\.example\.org \{",
            f"\nhttps://{HOST}:{port}, https://127.0.0.1:{port} {{\n\tbind 127.0.0.1"
            f"\n\ttls {folder}/essaim.pem {folder}/essaim.key",
        ),
    ):
        site, count = re.subn(pattern, put, site, flags=re.MULTILINE)
        assert count, pattern
    (folder / "Caddyfile").write_text(site)
    assert CADDY is not None
    return [CADDY, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def site(request: Any, server: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    program, make = {"nginx": (NGINX, nginx), "caddy": (CADDY, caddy)}[request.param]
    if program is None:
        pytest.skip(f"no {request.param} here")
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    certificate(folder)
    log = folder / "log"
    environ = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with log.open("wb") as out:
        process = subprocess.Popen(make(folder, port, server), env=environ, stdout=out, stderr=out)
    try:
        until_open(port, process, log)
        yield Site(request.param, port, server)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def join(client: httpx.Client) -> dict[str, str]:
    answer = client.post("/live/room-1/join", json={})
    client.cookies.clear()
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['ticket']}"}


def test_pages_and_batches_pass(site: Site) -> None:
    with site.client() as client:
        page = client.get("/join/")
        assert page.status_code == 200 and "<html" in page.text
        assert page.headers["strict-transport-security"]
        phone = client.get("/s/ABC123")
        assert phone.status_code == 200 and "<html" in phone.text
        joined = client.post("/live/room-1/join", json={})
        assert "Secure" in joined.headers["set-cookie"]
        client.cookies.clear()
        ticket = {"Authorization": f"Bearer {joined.json()['ticket']}"}
        for seq in range(1, 6):
            taken = client.post("/live/room-1/batch", json={"seq": seq, "votes": [[seq, 1]]}, headers=ticket)
            assert (taken.status_code, taken.json()["refused"]) == (200, [])


def test_browsers_get_http_2(site: Site) -> None:
    context = site.tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(("127.0.0.1", site.port), PATIENCE_S)
    with context.wrap_socket(plain, server_hostname=HOST) as secured:
        assert secured.selected_alpn_protocol() == "h2"
        assert secured.version() == "TLSv1.3"


def test_events_are_not_held_back(site: Site) -> None:
    with site.client() as watcher, site.client() as client, watcher.stream("GET", STREAM) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")  # before anything else has come
        ticket = join(client)
        client.post("/live/room-1/batch", json={"seq": 1, "votes": [[1, 1]]}, headers=ticket)
        assert "event: counts" in lines  # the answer goes on


def test_bodies_are_bounded(site: Site) -> None:
    with site.client() as client:
        ticket = join(client)
        large = client.post(
            "/live/room-1/batch", content=b" " * 20_000, headers=ticket | {"Content-Type": "application/json"}
        )
        assert (large.status_code, large.json()["code"]) == (413, "too-large")  # in our own words
        assert client.post("/live/room-1/batch", content=b" " * 200_000, headers=ticket).status_code == 413
        page = client.post("/account/login/", content=b" " * 7_000_000)
        # Caddy counts what is read of a body, and this one is refused unread, for want of a form's token.
        assert page.status_code == {"nginx": 413, "caddy": 403}[site.proxy]


def test_monitoring_is_not_for_visitors(site: Site) -> None:
    with site.client() as client:
        for path in ("/metrics", "/health/ready", "/health/live"):
            assert client.get(path).status_code == 404
    near = httpx.get(f"http://127.0.0.1:{site.behind}/metrics")
    assert near.status_code == 200
    assert re.search(r'essaim_up\{worker="0"\} 1\n.*essaim_up\{worker="1"\} 1\n', near.text)
    assert httpx.get(f"http://127.0.0.1:{site.behind}/health/ready").json()["ready"] is True


def test_each_visitor_has_an_address_of_their_own(site: Site) -> None:
    """The limit on letters for a forgotten password (20 a minute) is by address, and a visitor cannot write theirs."""
    first, second = {"nginx": ("127.0.0.12", "127.0.0.13"), "caddy": ("127.0.0.22", "127.0.0.23")}[site.proxy]

    def ask(client: httpx.Client, number: int) -> int:
        page = client.get("/account/password/reset/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        form = {"csrfmiddlewaretoken": token[1], "email": f"{site.proxy}-{number}@example.org"}
        claimed = {
            "X-Forwarded-For": f"203.0.113.{number}",
            "Referer": f"https://{HOST}/account/password/reset/",
        }
        return client.post("/account/password/reset/", data=form, headers=claimed).status_code

    with site.client(first) as client:
        assert [ask(client, number) for number in range(20)] == [302] * 20
        assert ask(client, 20) == 429
    with site.client(second) as client:
        assert ask(client, 21) == 302


def test_the_units_are_valid(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    program = tmp_path / "essaim"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in ("essaim.service", "essaim.socket"):
        text = (DEPLOY / name).read_text().replace("/opt/essaim/.venv/bin/essaim", str(program))
        (tmp_path / name).write_text(text)
    checked = subprocess.run(
        [
            "systemd-analyze",
            "verify",
            "--man=no",
            *(str(tmp_path / f"essaim.{one}") for one in ("service", "socket")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in checked.stderr.splitlines() if "essaim" in line]
    assert (checked.returncode, said) == (0, [])
