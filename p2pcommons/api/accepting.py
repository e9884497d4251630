"""Connections to the API within bounds: whoever only opens them keeps neither people nor other nodes out.

Every connection is a file of this process, which has some thousand for all it does. So there are at most so many at a
time, and one that brings no request is closed after a while. What comes after the first request is the handlers' own.
Driven by the server: a protocol is asked for with each connection, `run` looks now and then, requests are noted.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from p2pcommons.core.limits import API_CONNECTIONS_MAX, CONNECT_MS_MAX

LOOK_S: Final = 5.0  # how often: a silent connection stays that much longer
KEEP_S: Final = 75.0  # a connection between two requests; browsers keep theirs for one to five minutes


class Begun:
    """The connections that brought a request."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()


BEGUN: Final = web.AppKey("begun", Begun)


@web.middleware
async def note_request(request: web.Request, handler: Any) -> web.StreamResponse:
    """Remember that this connection brought one."""
    request.app[BEGUN].connections.add(request.protocol)
    response: web.StreamResponse = await handler(request)
    return response


class Accepting:
    """Gives each connection its protocol, for `loop.create_server`."""

    def __init__(
        self,
        server: web.Server,
        begun: Begun,
        connections_max: int = API_CONNECTIONS_MAX,
        silent_s_max: float = CONNECT_MS_MAX / 1000,
    ) -> None:
        self._server, self._begun = server, begun
        self._connections_max, self._silent_s_max = connections_max, silent_s_max
        self._silent: dict[RequestHandler, float] = {}  # since when

    def __call__(self) -> asyncio.Protocol:
        """The protocol of one more connection."""
        return _Full() if len(self._server.connections) >= self._connections_max else self._server()

    def look(self, now_s: float) -> None:
        """Close what was silent for too long. `now_s`: seconds of any clock that only goes on."""
        here = self._server.connections
        self._begun.connections &= set(here)
        self._silent = {each: self._silent.get(each, now_s) for each in here if each not in self._begun.connections}
        for each, since in self._silent.items():
            if now_s - since >= self._silent_s_max and each.transport is not None:
                each.transport.abort()

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look(time.monotonic())


class _Full(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
