"""Nodes that meet through Debian's nginx, with the configuration that the guide for hosts gives."""

from __future__ import annotations

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
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from p2pcommons.core.address import parse_address
from p2pcommons.core.record import CommonsId
from p2pcommons.network.dial import DialFailed, Dialler
from p2pcommons.node.folder import running_node
from tests.e2e.judging import ends_in_time, quiet, until, until_async
from tests.e2e.processes import WAIT_S, NodeProcess, answer, command, equal

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
GUIDE = Path(__file__).parents[2] / "docs" / "host.md"

if NGINX is None and os.environ.get("CI"):
    pytest.fail("nginx is not here, and in CI it must be: apt-get install nginx", pytrace=False)
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not on this machine")


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
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
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
    node.start("--public-name", f"localhost:{nginx.port}")
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
        hosted = [peer for peer in answer_lines(guest, "peer", "list") if "wss://" in str(peer["address"])]
        assert [peer["state"] for peer in hosted] == ["connected"]
        # A host whose proxied links are open stops in time all the same, and its guest finds it again.
        asked = time.monotonic()
        host.process.send_signal(signal.SIGTERM)
        assert ends_in_time(host.process, asked) == 0
        host.start("--public-name", f"localhost:{nginx.port}", api=api)
    assert guest.stop() == 0
    quiet(host.log())
    quiet(guest.log())


def answer_lines(node: NodeProcess, *words: str) -> list[dict[str, object]]:
    import json

    return [json.loads(line) for line in command(node.data, "--json", *words).stdout.splitlines()]
