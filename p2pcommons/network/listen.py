"""Where other nodes come in: TLS with the node's own certificate, or a proxy's requests handed over (chapter 30).

Strangers are counted from the first packet: how many connections there may be, and how many from one place, and
how long they may take to become a link. What a link says is its session's business: `serve` is given the link,
and when it returns the link is closed.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from types import TracebackType
from typing import Final

from aiohttp import WSCloseCode, web
from aiohttp.web_protocol import RequestHandler

from p2pcommons.core.limits import (
    CLOSE_MS_MAX,
    CONNECT_MS_MAX,
    HEARTBEAT_MS,
    KNOCK_MS,
    LINKS_MAX,
    LINKS_PER_HOST_MAX,
)
from p2pcommons.network.certificate import Certificate, listening_context
from p2pcommons.network.link import MESSAGE_BYTES_MAX, SUBPROTOCOL, Link
from p2pcommons.sync.handshake import Role, direct_channel

logger = logging.getLogger(__name__)

Serve = Callable[[Link], Awaitable[None]]

_BACKLOG: Final = 64  # connections that wait for us to accept them: a moment's worth
_STOPS: Final = "this node stops"
_OUT_OF_MEANS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_OUT_OF_MEANS_PAUSE_S: Final = 1.0
_FOR_BROWSERS: Final = "This is where p2pcommons nodes talk to each other. The page of this node is elsewhere.\n"
# HTTP that a stranger gets wrong is answered and is no news; what goes wrong here we log ourselves.
_TOLD_BY_PROXY: Final = "X-Real-IP"  # whose link a proxy passes on; it must set this itself, whatever came with it
_STRANGERS_HTTP: Final = logging.Logger(f"{__name__}.http", logging.CRITICAL)


class _Server(web.Server):
    """aiohttp's server of one connection each, which tells when a connection has ended."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        # auto_decompress: the body of a request, which nobody reads here, is not unfolded either.
        super().__init__(handler, access_log=None, keepalive_timeout=0, logger=_STRANGERS_HTTP, auto_decompress=False)
        self.ends: dict[RequestHandler, asyncio.Event] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.ends[handler] = asyncio.Event()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        if (end := self.ends.pop(handler, None)) is not None:
            end.set()


class Listener:
    """Accepts links and has them served, within `async with`.

    `host` empty or `::`: every address of this machine. `port` 0: any free one. OSError if it cannot be bound.
    """

    def __init__(
        self,
        certificate: Certificate,
        serve: Serve,
        *,
        host: str,
        port: int,
        links_max: int = LINKS_MAX,
        links_per_host_max: int = LINKS_PER_HOST_MAX,
        connect_ms_max: int = CONNECT_MS_MAX,
    ) -> None:
        self._serve = serve
        self._host, self._port = host, port
        self._links_max, self._links_per_host_max = links_max, links_per_host_max
        self._connect_s_max = connect_ms_max / 1000
        self._context: ssl.SSLContext = listening_context(certificate)
        self._channel = direct_channel(certificate.der)
        self._server: _Server
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._links: set[Link] = set()
        self._hosted: set[Link] = set()
        self._hosted_places: Counter[str] = Counter()
        self._visitors: Counter[str] = Counter()
        self._knocking: dict[RequestHandler, asyncio.TimerHandle] = {}  # connected, not yet a link
        self._closing = False

    async def __aenter__(self) -> Listener:
        sockets = await _bind(self._host, self._port)
        self._port = sockets[0].getsockname()[1]
        self._server = _Server(self._answer_direct)
        await self._tasks.__aenter__()
        for bound in sockets:
            self._start(self._accept(bound))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        try:
            await asyncio.gather(*(link.close(WSCloseCode.GOING_AWAY, _STOPS) for link in self._links))
            await self._server.shutdown(CLOSE_MS_MAX / 1000)
        finally:
            for task in self._running:
                task.cancel()
            await self._tasks.__aexit__(kind, error, trace)

    @property
    def port(self) -> int:
        """The port that was bound."""
        return self._port

    @property
    def links(self) -> int:
        """How many links are open now."""
        return len(self._links)

    async def hosted(self, request: web.Request) -> web.StreamResponse:
        """Answer a request that a proxy passes on (`wss://HOST/PATH`): a handler for the node's web application."""
        place = _place_told(request)
        if place is None:
            return await self._answer(request, b"", _remote(request))
        if self._hosted_places[place] >= self._links_per_host_max:
            return _full()
        self._hosted_places[place] += 1
        try:
            return await self._answer(request, b"", request.headers[_TOLD_BY_PROXY].partition("%")[0])
        finally:
            self._hosted_places[place] -= 1
            if not self._hosted_places[place]:
                del self._hosted_places[place]

    async def leave_hosted(self) -> None:
        """Say goodbye to those who came in through a proxy, before the application that passes them on ends."""
        closing = [asyncio.ensure_future(link.close(WSCloseCode.GOING_AWAY, _STOPS)) for link in self._hosted]
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_MS_MAX / 1000 / 2)
        for each in closing:
            each.cancel()

    async def _answer_direct(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._answer(request, self._channel, _remote(request))

    async def _answer(self, request: web.BaseRequest, channel: bytes, remote: str) -> web.StreamResponse:
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if request.headers.get("Upgrade", "").lower() != "websocket" or SUBPROTOCOL not in map(str.strip, offered):
            headers = {"Upgrade": "websocket", "Connection": "Upgrade, close", "Sec-WebSocket-Protocol": SUBPROTOCOL}
            return web.Response(status=426, headers=headers, text=_FOR_BROWSERS)
        if self._closing or len(self._links) >= self._links_max:
            return _full()
        websocket = web.WebSocketResponse(
            timeout=CLOSE_MS_MAX / 1000,
            heartbeat=HEARTBEAT_MS / 1000,
            protocols=(SUBPROTOCOL,),
            compress=False,  # packs hardly compress, and a compressed frame can unfold to any size
            max_msg_size=MESSAGE_BYTES_MAX,
        )
        await websocket.prepare(request)
        if (timer := self._knocking.pop(request.protocol, None)) is not None:
            timer.cancel()
        link = Link(websocket, Role.LISTENER, channel, remote)
        self._links.add(link)
        if not channel:
            self._hosted.add(link)
        try:
            await self._serve(link)
        except Exception:  # the edge of a peer's task: its fault or ours, the listener lives on
            logger.exception("serving %s failed", link)
        finally:
            await link.close()
            if channel and link.penalty_ms and ":" in remote:
                self._penalise(_place(remote.rpartition(":")[0].strip("[]")), link.penalty_ms / 1000)
            self._links.discard(link)
            self._hosted.discard(link)
        return websocket

    def _start(self, work: asyncio._CoroutineLike[None]) -> None:
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _accept(self, bound: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with bound:
            while True:
                try:
                    connection, address = await loop.sock_accept(bound)
                except OSError as error:
                    if error.errno in _OUT_OF_MEANS:
                        logger.warning("no more connections can be accepted: %s", error)
                        await asyncio.sleep(_OUT_OF_MEANS_PAUSE_S)
                    continue
                place = _place(address[0])
                here = self._visitors
                if here.total() >= self._links_max or here[place] >= self._links_per_host_max:
                    connection.close()
                    continue
                here[place] += 1
                self._start(self._welcome(connection, place))

    async def _welcome(self, connection: socket.socket, place: str) -> None:
        """Carry one connection from TLS to its end; it has a set time to become a link."""
        loop = asyncio.get_running_loop()
        became_link = False
        try:
            transport, handler = await loop.connect_accepted_socket(
                self._server, connection, ssl=self._context, ssl_handshake_timeout=self._connect_s_max
            )
            end = self._server.ends.get(handler)
            if end is None:
                return
            timer = loop.call_later(self._connect_s_max, transport.abort)
            self._knocking[handler] = timer
            try:
                await end.wait()
            finally:
                timer.cancel()
                became_link = self._knocking.pop(handler, None) is None
                transport.abort()
        except OSError as error:  # TLS that did not come about: scanners, plain HTTP, another version
            logger.debug("no TLS with %s: %s", place, error)
        except Exception:  # the edge of a stranger's task: whatever it did, the listener lives on
            logger.exception("welcoming %s failed", place)
        finally:
            connection.close()
            if became_link:
                self._leave(place)
            else:  # to knock costs this node some milliseconds, and who knocks hardly anything
                loop.call_later(KNOCK_MS / 1000, self._leave, place)

    def _leave(self, place: str) -> None:
        self._visitors[place] -= 1
        if not self._visitors[place]:
            del self._visitors[place]

    def _penalise(self, place: str, seconds: float) -> None:
        """Count a link that broke the protocol as open for a while after its end."""
        self._visitors[place] += 1
        asyncio.get_running_loop().call_later(seconds, self._leave, place)


async def _bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all on one port. OSError if there is none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        None if host in ("", "::") else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    failure = OSError(f"{host!r} is no address of this machine")
    for family, kind, protocol, _, address in dict.fromkeys(found):
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((address[0], port, *address[2:]))
            bound.listen(_BACKLOG)
            bound.setblocking(False)
        except OSError as error:  # a machine without IPv6 still has IPv4
            bound.close()
            failure = error
            continue
        port = port or bound.getsockname()[1]
        sockets.append(bound)
    if not sockets:
        raise failure
    return sockets


def _place(address: str) -> str:
    """Who counts as one: an IPv4 address, or an IPv6 network of 64 bits (one house has that many addresses)."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def _full() -> web.Response:
    return web.Response(status=503, headers={"Retry-After": "60", "Connection": "close"}, text="full\n")


def _place_told(request: web.BaseRequest) -> str | None:
    """Who counts as one behind a proxy; None where it does not tell."""
    try:
        return _place(request.headers.get(_TOLD_BY_PROXY, ""))
    except ValueError:
        return None


def _remote(request: web.BaseRequest) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    if not peer:
        return "unknown"
    return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
