"""Links over loopback with real TLS: what travels, what binds them, and what strangers cannot do."""

import asyncio
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from p2pcommons.core.address import Address
from p2pcommons.core.limits import FRAME_BYTES_MAX
from p2pcommons.core.outside import may_exchange
from p2pcommons.errors import LocalProtocolError, StoreError
from p2pcommons.network.certificate import Certificate, dialling_context, keep_certificate
from p2pcommons.network.dial import DialFailed, Dialler
from p2pcommons.network.link import SUBPROTOCOL, Link, LinkLost
from p2pcommons.network.listen import Listener
from p2pcommons.sync.handshake import Role

Serve = Callable[[Link], Awaitable[None]]


def at(host: str, port: int, path: str | None = None) -> Address:
    return Address(None, host, port, path)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return keep_certificate(tmp_path_factory.mktemp("alice") / "tls.pem")


async def echo(link: Link) -> None:
    while (frame := await link.receive()) is not None:
        await link.send(frame)


@asynccontextmanager
async def meeting(certificate: Certificate, serve: Serve = echo) -> AsyncIterator[tuple[Listener, Dialler, Address]]:
    async with Listener(certificate, serve, host="127.0.0.1", port=0) as listener, Dialler() as dialler:
        yield listener, dialler, at("127.0.0.1", listener.port)


class Guest:
    """Keeps the listener's end of one link, for the test to hold in its hands."""

    def __init__(self) -> None:
        self.link: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self.leave = asyncio.Event()

    async def serve(self, link: Link) -> None:
        self.link.set_result(link)
        await self.leave.wait()


async def test_frames_arrive_whole_and_in_order(certificate: Certificate) -> None:
    async with meeting(certificate) as (_, dialler, to):
        link = await dialler.dial(to)
        frames = [bytes([number]) * size for number, size in enumerate([0, 1, 125, 126, 65_536, FRAME_BYTES_MAX])]
        for frame in frames:
            await link.send(frame)
        assert [await link.receive() for _ in frames] == frames
        assert link.bytes_sent == link.bytes_received == sum(map(len, frames))
        await link.close()


async def test_both_ends_are_bound_to_the_listeners_certificate(certificate: Certificate) -> None:
    async def serve(link: Link) -> None:
        guest.set_result(link)
        await echo(link)

    guest: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
    async with meeting(certificate, serve) as (_, dialler, to):
        link = await dialler.dial(to)
        listeners = await guest
        assert link.channel == listeners.channel == b"\x01" + sha256(certificate.der).digest()
        assert (link.role, listeners.role) == (Role.DIALLER, Role.LISTENER)
        assert link.remote == f"127.0.0.1:{to.port}"
        assert listeners.remote.startswith("127.0.0.1:")
        await link.close()


async def test_the_end_of_a_link_is_told_to_both(certificate: Certificate) -> None:
    guest = Guest()
    async with meeting(certificate, guest.serve) as (listener, dialler, to):
        link = await dialler.dial(to)
        other = await guest.link
        closing = asyncio.create_task(link.close(4000, "nothing left to say ✓" * 20))
        assert await other.receive() is None
        await closing
        assert await link.receive() is None
        with pytest.raises(LinkLost):
            await link.send(b"too late")
        guest.leave.set()
        await link.close()
    assert listener.links == 0


async def test_a_ping_of_a_peer_that_is_gone_ends_the_link_as_any_end_does(certificate: Certificate) -> None:
    guest = Guest()
    async with meeting(certificate, guest.serve) as (_, _, address), aiohttp.ClientSession() as session:
        stranger = await session.ws_connect(
            f"https://{address.target}/", ssl=dialling_context(), protocols=(SUBPROTOCOL,)
        )
        link = await guest.link
        await stranger.ping()  # it waits here, as in a process that was stopped for a while
        stranger.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        assert link._socket is not None
        for _ in range(100_000):
            if link._socket.fileno() < 0:
                break
            await asyncio.sleep(0)
        assert await link.receive() is None
        guest.leave.set()


async def test_a_frame_beyond_the_limit_is_our_own_fault(certificate: Certificate) -> None:
    async with meeting(certificate) as (_, dialler, to):
        link = await dialler.dial(to)
        with pytest.raises(LocalProtocolError):
            await link.send(bytes(FRAME_BYTES_MAX + 1))
        await link.close()


async def stranger(
    to: Address, protocols: tuple[str, ...] = (SUBPROTOCOL,)
) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    try:
        return session, await session.ws_connect(
            f"https://{to.host}:{to.port}/", ssl=dialling_context(), protocols=protocols, max_msg_size=0
        )
    except BaseException:
        await session.close()
        raise


async def test_a_strangers_frame_beyond_the_limit_ends_the_link(certificate: Certificate) -> None:
    guest = Guest()
    async with meeting(certificate, guest.serve) as (_, _, to):
        session, websocket = await stranger(to)
        received = asyncio.create_task((await guest.link).receive())
        await websocket.send_bytes(bytes(FRAME_BYTES_MAX + 1))
        assert await received is None
        guest.leave.set()
        await session.close()


async def test_text_ends_the_link(certificate: Certificate) -> None:
    async with meeting(certificate) as (_, _, to):
        session, websocket = await stranger(to)
        await websocket.send_str("hello")
        assert (await websocket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert websocket.close_code == 1003
        await session.close()


async def test_without_the_subprotocol_there_is_no_link(certificate: Certificate) -> None:
    async with meeting(certificate) as (listener, _, to):
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await stranger(to, ("chat",))
        assert raised.value.status == 426
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://{to.host}:{to.port}/", ssl=dialling_context()) as response,
        ):
            assert response.status == 426
        assert listener.links == 0


async def test_who_does_not_read_makes_the_other_wait(certificate: Certificate) -> None:
    guest = Guest()
    async with meeting(certificate, guest.serve) as (_, dialler, to):
        link = await dialler.dial(to)
        other = await guest.link
        frames = 64

        async def flood() -> None:
            for number in range(frames):
                await link.send(number.to_bytes(4, "big") + bytes(FRAME_BYTES_MAX - 4))

        sending = asyncio.create_task(flood())
        # What fits between the two is some buffers of the system; then the sender waits.
        while True:
            before = link.bytes_sent
            await asyncio.wait([sending], timeout=0.3)
            if link.bytes_sent == before:
                break
        assert link.bytes_sent < frames * FRAME_BYTES_MAX
        assert other.bytes_received == 0
        for number in range(frames):
            frame = await other.receive()
            assert frame is not None and frame[:4] == number.to_bytes(4, "big")
        await sending
        guest.leave.set()
        await link.receive()


async def test_who_never_reads_is_given_up(certificate: Certificate) -> None:
    guest = Guest()
    async with meeting(certificate, guest.serve) as (_, dialler, to):
        link = await dialler.dial(to)
        impatient = Link(link._websocket, Role.DIALLER, link.channel, link.remote, send_ms_max=50)
        with pytest.raises(LinkLost) as raised:
            while True:
                await impatient.send(bytes(FRAME_BYTES_MAX))
        assert raised.value.code == "link_stalled"
        assert await impatient.receive() is None
        other = await guest.link
        async with asyncio.timeout(20):  # the connection itself has ended, whatever was still to be written
            while await other.receive() is not None:
                pass
        guest.leave.set()
        await link.close()


async def test_a_listener_takes_so_many_from_one_place(certificate: Certificate) -> None:
    async with Listener(certificate, echo, host="127.0.0.1", port=0, links_per_host_max=2) as listener:
        to = at("127.0.0.1", listener.port)
        async with Dialler() as dialler:
            first, second = await dialler.dial(to), await dialler.dial(to)
            with pytest.raises(DialFailed):
                await dialler.dial(to)
            await first.send(b"still here")
            assert await first.receive() == b"still here"
            await first.close()
            third = await until_dialled(dialler, to)
            for link in (second, third):
                await link.close()


async def until_dialled(dialler: Dialler, to: Address) -> Link:
    """Dial until the listener has seen that a link went (it is told by the network, in its own time)."""
    for _ in range(1000):
        try:
            return await dialler.dial(to)
        except DialFailed:
            continue
    raise AssertionError("a place that was left is never given again")


@pytest.mark.parametrize("first_bytes", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(64)], ids=["silence", "http", "zeros"])
async def test_who_does_not_get_on_is_sent_away(certificate: Certificate, first_bytes: bytes) -> None:
    async with Listener(certificate, echo, host="127.0.0.1", port=0, connect_ms_max=100) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(first_bytes)
        async with asyncio.timeout(20):
            try:
                while await reader.read(4096):
                    pass
            except ConnectionError:
                pass
        writer.close()
        async with Dialler() as dialler:
            link = await dialler.dial(at("127.0.0.1", listener.port))
            await link.close()


async def test_who_stays_silent_inside_tls_is_sent_away(certificate: Certificate) -> None:
    async with Listener(certificate, echo, host="127.0.0.1", port=0, connect_ms_max=100) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=dialling_context())
        async with asyncio.timeout(20):
            try:
                assert await reader.read(4096) == b""
            except ConnectionError:
                pass
        writer.close()


@pytest.mark.parametrize("said", [b"\0\1\2\3 garbage\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000])
async def test_garbage_inside_tls_is_answered_and_not_worth_the_log(
    certificate: Certificate, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    async with Listener(certificate, echo, host="127.0.0.1", port=0, connect_ms_max=2000) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=dialling_context())
        writer.write(said)
        async with asyncio.timeout(20):
            try:
                while await reader.read(4096):
                    pass
            except ConnectionError:
                pass
        writer.close()
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")]


async def test_a_failing_session_ends_its_own_link_only(
    certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(link: Link) -> None:
        if await link.receive() == b"fail":
            raise ValueError("planted")
        await echo(link)

    async with meeting(certificate, serve) as (_, dialler, to):
        bad, good = await dialler.dial(to), await dialler.dial(to)
        await bad.send(b"fail")
        assert await bad.receive() is None
        await good.send(b"first")
        await good.send(b"again")
        assert await good.receive() == b"again"
        await good.close()
    assert "planted" in caplog.text


async def test_stopping_the_listener_ends_its_links(certificate: Certificate) -> None:
    async with Dialler() as dialler:
        async with Listener(certificate, echo, host="127.0.0.1", port=0) as listener:
            link = await dialler.dial(at("127.0.0.1", listener.port))
            receiving = asyncio.create_task(link.receive())
            await asyncio.sleep(0)
        assert await receiving is None
        with pytest.raises(DialFailed) as raised:
            await dialler.dial(at("127.0.0.1", listener.port))
        assert raised.value.code == "unreachable"


async def test_a_port_that_is_taken_is_an_error(certificate: Certificate) -> None:
    async with meeting(certificate) as (listener, _, _):
        with pytest.raises(OSError):
            await Listener(certificate, echo, host="127.0.0.1", port=listener.port).__aenter__()


async def test_a_listener_without_a_host_answers_on_every_address(certificate: Certificate) -> None:
    async with Listener(certificate, echo, host="", port=0) as listener, Dialler() as dialler:
        link = await dialler.dial(at("127.0.0.1", listener.port))
        await link.send(b"x")
        assert await link.receive() == b"x"
        await link.close()


# -- dialling


async def test_nothing_there_is_told_as_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with Dialler() as dialler:
        with pytest.raises(DialFailed) as raised:
            await dialler.dial(at("127.0.0.1", port))
    assert raised.value.code == "unreachable"


async def test_who_never_answers_is_told_as_timed_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with Dialler(connect_ms_max=100) as dialler:
            with pytest.raises(DialFailed) as raised:
                await dialler.dial(at("127.0.0.1", silent.getsockname()[1]))
    assert raised.value.code == "timed_out"


class Web:
    """A web server with a certificate of a test authority: what a proxy looks like from outside."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        path = folder / "web.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(path)
        self.trust = ssl.create_default_context(cafile=str(path))

    @asynccontextmanager
    async def serving(self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[Address]:
        app = web.Application()
        app.router.add_get("/{anything:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.context)
            await site.start()
            port = runner.addresses[0][1]
            yield at("localhost", port, "/commons")
        finally:
            await runner.cleanup()


async def test_behind_a_proxy_the_name_that_was_dialled_binds(certificate: Certificate, tmp_path: Path) -> None:
    guest = Guest()
    proxy = Web(tmp_path)
    async with (
        Listener(certificate, guest.serve, host="127.0.0.1", port=0) as listener,
        proxy.serving(listener.hosted) as to,
        Dialler(web_trust=proxy.trust) as dialler,
    ):
        link = await dialler.dial(to)
        other = await guest.link
        assert (link.channel, other.channel) == (b"\x02localhost", b"")
        await link.send(b"through")
        assert await other.receive() == b"through"
        guest.leave.set()
        assert await link.receive() is None


async def test_a_web_certificate_that_is_not_trusted_is_refused(certificate: Certificate, tmp_path: Path) -> None:
    async with (
        Listener(certificate, echo, host="127.0.0.1", port=0) as listener,
        Web(tmp_path).serving(listener.hosted) as to,
        Dialler() as dialler,
    ):
        with pytest.raises(DialFailed) as raised:
            await dialler.dial(to)
    assert raised.value.code == "bad_certificate"


async def test_a_web_server_that_is_no_node_is_told_as_such(tmp_path: Path) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="a page")

    proxy = Web(tmp_path)
    async with proxy.serving(page) as to, Dialler(web_trust=proxy.trust) as dialler:
        with pytest.raises(DialFailed) as raised:
            await dialler.dial(to)
    assert raised.value.code == "not_a_node"


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/next"})

    proxy = Web(tmp_path)
    async with proxy.serving(elsewhere) as to, Dialler(web_trust=proxy.trust) as dialler:
        with pytest.raises(DialFailed) as raised:
            await dialler.dial(to)
    assert raised.value.code == "not_a_node"
    assert asked == ["/commons"]


async def test_a_proxy_of_the_environment_is_not_asked(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with meeting(certificate) as (_, dialler, to):
        link = await dialler.dial(to)
        await link.close()


@pytest.mark.parametrize(
    ("host", "port", "may"),
    [
        ("203.0.114.7", 7421, True),
        ("203.0.114.7", 443, True),
        ("203.0.114.7", 22, False),
        ("203.0.114.7", 80, False),
        ("127.0.0.1", 7421, False),
        ("10.1.2.3", 7421, False),
        ("192.168.1.1", 7421, False),
        ("169.254.169.254", 7421, False),
        ("100.64.0.1", 7421, False),
        ("224.0.0.1", 7421, False),
        ("0.0.0.0", 7421, False),
        ("::1", 7421, False),
        ("::ffff:10.0.0.1", 7421, False),
        ("2002:0a00:0001::1", 7421, False),
        ("fe80::1%eth0", 7421, False),
        ("fd00::1", 7421, False),
        ("2a01:4f8::1", 7421, True),
        ("commons.example.org", 7421, True),
        ("localhost", 7421, False),
        ("printer.local", 7421, False),
        ("intranet", 7421, False),
    ],
)
def test_heard_addresses_must_lead_outside(host: str, port: int, may: bool) -> None:
    assert may_exchange(host, port) is may


async def test_a_heard_name_that_means_this_machine_is_not_dialled(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with meeting(certificate) as (listener, dialler, to):
        loop = asyncio.get_running_loop()
        real = loop.getaddrinfo

        async def lie(host: str, *args: object, **named: object) -> object:
            return await real("127.0.0.1" if host == "innocent.example.org" else host, *args, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(loop, "getaddrinfo", lie)
        innocent = at("innocent.example.org", to.port)
        with pytest.raises(DialFailed):
            await dialler.dial(innocent, heard=lambda ip: True)
        assert listener.links == 0
        link = await dialler.dial(innocent)  # a person may
        await link.close()


# -- certificate


def test_a_certificate_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    path = tmp_path / "tls.pem"
    made = keep_certificate(path)
    assert keep_certificate(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(tmp_path.iterdir()) == [path]
    assert keep_certificate(tmp_path / "other.pem").der != made.der


@pytest.mark.parametrize("content", [b"", b"no pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_certificate_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tls.pem"
    path.write_bytes(content)
    with pytest.raises(StoreError) as raised:
        keep_certificate(path)
    assert raised.value.code == "bad_certificate"
    assert str(path) in raised.value.detail


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    one, two = keep_certificate(tmp_path / "one.pem"), keep_certificate(tmp_path / "two.pem")
    marker = b"-----BEGIN CERTIFICATE-----"
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(one.path.read_bytes().split(marker)[0] + marker + two.path.read_bytes().split(marker)[1])
    with pytest.raises(StoreError):
        keep_certificate(mixed)
