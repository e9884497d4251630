"""Nodes that meet through Debian's nginx, with the configuration that the guide for hosts gives."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from p2pcommons.core.address import parse_address
from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.core.limits import HEARTBEAT_MS
from p2pcommons.core.record import CommonsId
from p2pcommons.network.dial import DialFailed, Dialler
from p2pcommons.node.folder import running_node
from tests.e2e.judging import ends_in_time, quiet, until, until_async
from tests.e2e.processes import WAIT_S, NodeProcess, answer, command, equal

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
GUIDE = Path(__file__).parents[2] / "docs" / "host.md"

behind_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not on this machine: apt-get install nginx")


@dataclass(frozen=True)
class Authority:
    """A certificate authority made for one test, and the certificate it gave to `localhost`."""

    trusted: Path
    certificate: Path
    key: Path


def authority(folder: Path) -> Authority:
    folder.mkdir()
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, name = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, n)]) for n in ("The town", "localhost"))
    now = datetime.now(UTC)

    def signed(subject: x509.Name, public: ec.EllipticCurvePublicKey, is_root: bool) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        )
        if not is_root:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        return made.sign(root_key, hashes.SHA256())

    found = Authority(folder / "authority.pem", folder / "fullchain.pem", folder / "privkey.pem")
    found.trusted.write_bytes(signed(root_name, root_key.public_key(), True).public_bytes(Encoding.PEM))
    found.certificate.write_bytes(signed(name, key.public_key(), False).public_bytes(Encoding.PEM))
    found.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return found


def configuration(folder: Path, port: int, api: str, town: Authority) -> str:
    """The guide's own block, with this test's names, ports and files in place of its examples, and what a whole file needs."""
    (block,) = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    for example, here in (
        ("    listen 443 ssl;", f"    listen 127.0.0.1:{port} ssl;"),
        ("    listen [::]:443 ssl;\n", ""),
        ("server_name commons.example.org", "server_name localhost"),
        ("/etc/letsencrypt/live/commons.example.org/fullchain.pem", str(town.certificate)),
        ("/etc/letsencrypt/live/commons.example.org/privkey.pem", str(town.key)),
        ("http://127.0.0.1:7420", f"http://{api}"),
    ):
        assert block.count(example) == 1, f"the guide no longer says {example!r}"
        block = block.replace(example, here)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"pid {folder}/nginx.pid; error_log {folder}/error.log warn; daemon off; worker_processes 1;\n"
        f"events {{ worker_connections 256; }}\nhttp {{ access_log {folder}/access.log; {paths}\n{block}\n}}\n"
    )


class Nginx:
    """nginx in front of one node, at a port that stays."""

    def __init__(self, folder: Path, town: Authority) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.town = town
        folder.mkdir()

    @contextmanager
    def in_front_of(self, api: str) -> Iterator[Nginx]:
        path = self.folder / "nginx.conf"
        path.write_text(configuration(self.folder, self.port, api, self.town))
        assert NGINX is not None
        with (self.folder / "out.log").open("ab") as log:
            process = subprocess.Popen([NGINX, "-p", str(self.folder), "-c", str(path)], stdout=log, stderr=log)
        try:
            until(lambda: self._answers(process), "nginx answers")
            yield self
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=WAIT_S)

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.log()
        with socket.socket() as knocking:
            return knocking.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def status(self, path: str) -> int:
        """What a browser gets at a path."""
        trust = ssl.create_default_context(cafile=str(self.town.trusted))
        try:
            with urlopen(f"https://localhost:{self.port}{path}", context=trust, timeout=60) as answered:
                return int(answered.status)
        except HTTPError as error:
            return error.code


@pytest.fixture
def town(tmp_path: Path) -> Authority:
    return authority(tmp_path / "authority")


@pytest.fixture
def nginx(tmp_path: Path, town: Authority) -> Nginx:
    return Nginx(tmp_path / "nginx", town)


@pytest.fixture
def host(tmp_path: Path, nginx: Nginx) -> Iterator[NodeProcess]:
    node = NodeProcess(tmp_path / "host")
    node.start("--log-json", "--public-name", f"localhost:{nginx.port}")
    yield node
    node.kill()


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[NodeProcess]:
    node = NodeProcess(tmp_path / "guest")
    yield node
    node.kill()


def api_of(node: NodeProcess) -> str:
    note = running_node(node.data)
    assert note is not None
    return str(note["api"])


def public_address(node: NodeProcess) -> str:
    (found,) = [each["address"] for each in answer(node.data, "status")["addresses"] if "wss://" in each["address"]]
    return str(found)


def test_nginx_is_here_where_everything_must_be_tried() -> None:
    assert NGINX is not None or not os.environ.get("CI"), "apt-get install nginx"


def test_the_guides_nginx_waits_longer_than_links_are_silent() -> None:
    waits = re.findall(r"proxy_(?:read|send)_timeout (\d+)s;", GUIDE.read_text())
    assert len(waits) == 2 and min(map(int, waits)) > 2 * HEARTBEAT_MS / 1000


@behind_nginx
async def test_a_node_behind_nginx_is_joined_by_its_invitation_and_both_become_equal(
    host: NodeProcess, guest: NodeProcess, nginx: Nginx, town: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(town.trusted))
    with nginx.in_front_of(api_of(host)):
        commons = answer(host.data, "commons", "create", "Derrière")["id"]
        command(host.data, "import", "sample", "--commons", commons)
        address = public_address(host)
        assert re.fullmatch(rf"z6Mk\w+@wss://localhost:{nginx.port}/p2p", address)
        guest.start("--follow", commons, "--peer", address)  # this one address, and no other
        digest = await equal([host, guest], bytes.fromhex(commons))
        assert digest.entries > 60
        answer(guest.data, "commons", "join", answer(host.data, "commons", "invite", commons)["invitation"])

        async def member() -> bool:
            async with guest.client() as client:
                return (await client.get_commons(CommonsId(bytes.fromhex(commons)))).member

        await until_async(member, "the invitation is used")
        command(guest.data, "entry", "add", "--commons", commons, "--type", "place", "--title", "Lavoir d'ailleurs")
        command(host.data, "entry", "add", "--commons", commons, "--type", "place", "--title", "Lavoir d'ici")
        await equal([host, guest], bytes.fromhex(commons))
        assert answer(host.data, "commons", "show", commons)["entries"] == digest.entries + 2
        assert answer(guest.data, "verify")["faults"] == []
        assert peer_at(guest, address)["state"] == "connected"
        # A host whose proxied links are open stops in time all the same, and its guest finds it again.
        api, asked = api_of(host), time.monotonic()
        host.process.send_signal(signal.SIGTERM)
        assert ends_in_time(host.process, asked) == 0
        until(lambda: "does not (502)" in peer_at(guest, address)["why"], "the guest says what is wrong")
        host.start("--api", api, "--log-json", "--public-name", f"localhost:{nginx.port}")
        command(host.data, "entry", "add", "--commons", commons, "--type", "place", "--title", "Lavoir d'après")
        await equal([host, guest], bytes.fromhex(commons))
    assert guest.stop() == 0 and host.stop() == 0
    quiet(host.log())
    quiet(guest.log())
    lines = [json.loads(line) for line in host.log().splitlines()]
    began = [line["fields"] for line in lines if line["event"] == "session_began"]
    assert any(each["remote"] == "127.0.0.1" for each in began), "nginx tells who comes"


def peer_at(node: NodeProcess, address: str) -> dict[str, Any]:
    found = [json.loads(line) for line in command(node.data, "--json", "peer", "list").stdout.splitlines()]
    (peer,) = [each for each in found if each["address"] and each["address"] in address]
    return dict(peer)


@behind_nginx
async def test_nginx_passes_on_the_way_in_and_nothing_else(host: NodeProcess, nginx: Nginx, town: Authority) -> None:
    at = parse_address(public_address(host))
    with nginx.in_front_of(api_of(host)):
        assert nginx.status("/p2p") == 426
        for path in ("/", "/metrics", "/healthz", "/api/v1/status", "/p2p/", "/p2p/../metrics", "/p2p%2f..%2fmetrics"):
            assert nginx.status(path) >= 400 and nginx.status(path) != 426, path
        async with Dialler(web_trust=ssl.create_default_context(cafile=str(town.trusted))) as dialler:
            link = await dialler.dial(at)
            assert link.channel == b"\x02localhost"
            await link.close()
            with pytest.raises(DialFailed) as raised:
                await dialler.dial(at._replace(path="/elsewhere"))
            assert raised.value.code == "not_a_node"
            host.kill()
            with pytest.raises(DialFailed) as raised:
                await dialler.dial(at)
            assert raised.value.code == "unreachable" and "502" in raised.value.detail


@behind_nginx
def test_what_is_wrong_with_an_address_behind_nginx_is_told(
    host: NodeProcess, guest: NodeProcess, nginx: Nginx, town: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest.start()  # trusts what the system trusts, and not the town
    own = public_address(host)
    api = api_of(host)
    with nginx.in_front_of(api):
        command(guest.data, "peer", "add", own)
        until(lambda: "certificate of localhost is not valid" in peer_at(guest, own)["why"], "the certificate")
        assert guest.stop() == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(town.trusted))
        guest.start()
        until(lambda: peer_at(guest, own)["state"] == "connected", "now it trusts the town")
        command(guest.data, "peer", "remove", own)
        key = did_key(SigningKey(b"e" * 32).public).removeprefix("did:key:")
        wrong = f"{key}@{own.partition('@')[2]}"
        command(guest.data, "peer", "add", wrong)
        until(lambda: "not the key that its address names" in peer_at(guest, wrong)["why"], "another key")
        host.stop()
        host.start("--api", api, "--public-name", "commons.example.org")
        command(guest.data, "peer", "add", own)
        until(lambda: "not reached by the host name" in peer_at(guest, own)["why"], "another name")
    assert guest.stop() == 0 and host.stop() == 0
