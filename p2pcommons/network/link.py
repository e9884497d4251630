"""One link to one peer: a WebSocket whose binary frames are a session's bytes (chapter 30, "Links").

Knows frames, not what is in them; what is compressed is so on the wire alone (chapter 36). The session above bounds
what may be under way; TCP's own back-pressure does the rest: who does not call `receive` is not sent more, and `send`
waits while the peer does not read.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeAlias

from aiohttp import ClientError, WSCloseCode, WSMessage, WSMsgType

from p2pcommons.core.limits import CLOSE_MS_MAX, FRAME_BYTES_MAX, SEND_MS_MAX
from p2pcommons.core.outside import is_ip
from p2pcommons.errors import LocalProtocolError, P2PCommonsError
from p2pcommons.sync.handshake import Role

SUBPROTOCOL: Final = "p2pcommons.v1"
MESSAGE_BYTES_MAX: Final = FRAME_BYTES_MAX + 1  # aiohttp refuses what reaches this number
_AT_ONCE_BYTES_MAX: Final = 16 * 1024  # up to here compressing takes no longer than asking a thread to: some 0.1 ms
_REASON_BYTES_MAX: Final = 123  # RFC 6455 5.5: a control frame holds 125 bytes, two of them the code


Change: TypeAlias = Callable[[bytes], bytes]
"""What becomes of a frame before it goes, or after it came; called in any thread, fails never."""


class LinkLost(P2PCommonsError):
    """The peer or the way to it is gone, or it does not read what it is sent."""


class _WebSocket(Protocol):
    """What aiohttp's two WebSockets, dialled and accepted, have in common."""

    @property
    def close_code(self) -> int | None: ...
    async def receive(self) -> WSMessage: ...
    async def send_bytes(self, data: bytes) -> None: ...
    async def close(self, *, code: int, message: bytes) -> bool: ...
    def get_extra_info(self, name: str) -> Any: ...


class Link:
    """A WebSocket in both directions. One task receives, any may send, and whoever was given the link closes it.

    `channel`: what the handshake binds to: 0x01 ‖ SHA-256(certificate), or 0x02 ‖ host name, or empty for a link
    that came in through a proxy. `remote`: the address as text, for people. `penalty_ms`: how long its place with a
    listener stays taken after its end, for a peer that broke the protocol.
    """

    __slots__ = (
        "_closed",
        "_far",
        "_from_wire",
        "_send_s_max",
        "_socket",
        "_to_wire",
        "_websocket",
        "bytes_received",
        "bytes_saved",
        "bytes_sent",
        "channel",
        "local",
        "penalty_ms",
        "remote",
        "role",
    )

    def __init__(
        self, websocket: _WebSocket, role: Role, channel: bytes, remote: str, *, send_ms_max: int = SEND_MS_MAX
    ) -> None:
        self._websocket = websocket
        self._socket: socket.socket | None = websocket.get_extra_info("socket")
        self._send_s_max = send_ms_max / 1000
        self._closed = False
        self._to_wire: Change | None = None
        self._from_wire: Change | None = None
        self.role = role
        self.channel = channel
        self.remote = remote
        self._far = _far(self._socket)
        self.local = _host(self._socket)
        """The address of this machine that the link goes by; empty where that is not known."""
        self.bytes_received = 0
        self.bytes_sent = 0
        self.bytes_saved = 0
        """What the changes of frames spared, both ways."""
        self.penalty_ms = 0

    def __repr__(self) -> str:
        return f"Link({self.role.name.lower()} {self.remote})"

    def comes_from(self, host: str) -> bool:
        """Whether the other end has this address."""
        return self.remote.rpartition(":")[0].strip("[]") == host

    @property
    def ip(self) -> str:
        """The IP address of the other end, or what a proxy says it is; empty where that is not known."""
        if self.role is Role.LISTENER and not self.channel:  # what comes from the proxy's own place says nothing
            return self.remote if is_ip(self.remote) else ""
        return self._far

    def change(self, to_wire: Change, from_wire: Change) -> None:
        """Change each frame so from now on, before it goes and after it came."""
        self._to_wire, self._from_wire = to_wire, from_wire

    async def receive(self) -> bytes | None:
        """The next frame, at most 1 MiB; None when the link has ended."""
        if self._closed:
            return None
        try:
            message = await self._websocket.receive()
        except (ClientError, ConnectionError):  # it answers pings: the peer that sent one may be gone
            self._closed = True
            return None
        if message.type is WSMsgType.BINARY:
            frame: bytes = message.data
            self.bytes_received += len(frame)
            return await self._changed(frame, self._from_wire)
        if message.type is WSMsgType.TEXT:
            await self.close(WSCloseCode.UNSUPPORTED_DATA, "frames are binary")
        self._closed = True
        return None

    async def send(self, frame: bytes) -> None:
        """Send a frame; returns when there is room for more. LinkLost if the peer is gone or does not read."""
        if len(frame) > FRAME_BYTES_MAX:
            raise LocalProtocolError("too_large", f"a frame of {len(frame)} bytes; at most {FRAME_BYTES_MAX} travel")
        frame = await self._changed(frame, self._to_wire)
        try:
            async with asyncio.timeout(self._send_s_max):
                await self._websocket.send_bytes(frame)
        except TimeoutError as error:
            self._closed = True
            self.cut()
            raise LinkLost("link_stalled", f"{self.remote} does not read what it is sent") from error
        except (ClientError, ConnectionError, RuntimeError) as error:
            self._closed = True
            raise LinkLost("link_lost", f"the link to {self.remote} has ended") from error
        self.bytes_sent += len(frame)

    async def _changed(self, frame: bytes, change: Change | None) -> bytes:
        if change is None:
            return frame
        changed = change(frame) if len(frame) <= _AT_ONCE_BYTES_MAX else await asyncio.to_thread(change, frame)
        self.bytes_saved += abs(len(frame) - len(changed))
        return changed

    async def close(self, code: int = WSCloseCode.OK, reason: str = "") -> None:
        """Say goodbye and end the link; waits a few seconds at most. Closing twice does nothing."""
        self._closed = True
        text = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore").encode()
        try:
            # The other side's goodbye is a courtesy: whatever goes wrong with it, the link is over.
            with suppress(ClientError, ConnectionError, RuntimeError, TimeoutError):
                async with asyncio.timeout(2 * CLOSE_MS_MAX / 1000):
                    await self._websocket.close(code=code, message=text)
        finally:
            if self._websocket.close_code in (None, WSCloseCode.ABNORMAL_CLOSURE):
                self.cut()

    def cut(self) -> None:
        """End the connection without waiting for the peer to read what is still to be written."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _far(connection: socket.socket | None) -> str:
    try:
        return str(connection.getpeername()[0]) if connection is not None else ""
    except OSError:
        return ""


def _host(connection: socket.socket | None) -> str:
    try:
        return str(connection.getsockname()[0]) if connection is not None else ""
    except OSError:  # gone already
        return ""
