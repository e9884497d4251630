"""The HTTP server of a node: builds the application from the verbs, starts it, and stops it within seconds.

Driven by the daemon: `async with ApiServer(build_app(commons, settings), host, port)`. The pages for people come in
as `extra_routes`, behind the same `Host` check and with the same headers; they find the verbs at
`request.app[COMMONS]`, who is asking by `request.app[DOOR]`, and the long answers at `request.app[STREAMS]`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Iterable, Sequence
from shutil import rmtree
from types import TracebackType
from typing import Final

from aiohttp import web

from p2pcommons.api.accepting import BEGUN, KEEP_S, Accepting, Begun, note_request
from p2pcommons.api.auth import DOOR, Door, check_host
from p2pcommons.api.metrics import METRICS, RequestCounts, count_requests
from p2pcommons.api.openapi import document
from p2pcommons.api.operation import COMMONS, Call, Operation
from p2pcommons.api.problems import answer_problems
from p2pcommons.api.routes import OPERATIONS
from p2pcommons.api.serving import HEARTBEAT_S, SCRATCH, SCRATCH_PREFIX, ApiSettings
from p2pcommons.api.streams import STREAMS, Streams
from p2pcommons.api.verbs import Verbs
from p2pcommons.api.wire import dump
from p2pcommons.core.limits import API_BODY_BYTES_MAX, API_URL_BYTES_MAX

STOP_S_MAX: Final = 1  # what open requests get to end, twice over in aiohttp; the whole node must be gone within 5 s
_BACKLOG: Final = 128
# HTTP that a caller gets wrong is answered and is no news; what goes wrong here we log ourselves (`answer_problems`).
_CALLERS_HTTP: Final = logging.Logger(f"{__name__}.http", logging.CRITICAL)

# Set where a route did not set its own.
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def build_app(
    commons: Verbs, settings: ApiSettings, extra_routes: Iterable[web.AbstractRouteDef] = ()
) -> web.Application:
    """The application that answers for these verbs; `extra_routes` come after the API's own."""
    middlewares = [note_request, count_requests, answer_problems, check_host]
    app = web.Application(middlewares=middlewares, client_max_size=API_BODY_BYTES_MAX)
    app[BEGUN] = Begun()
    app[COMMONS] = commons
    app[DOOR] = Door(settings.token, settings.hosts, settings.session, settings.public_hosts)
    app[STREAMS] = Streams()
    app[METRICS] = RequestCounts()
    app[SCRATCH] = settings.scratch
    app[HEARTBEAT_S] = settings.heartbeat_s
    operations = all_operations()
    paths = {operation.path for operation in operations}
    for operation in operations:
        for method in operation.methods():
            app.router.add_route(method, route_pattern(operation.path, paths), operation.handle)
    app.router.add_routes(extra_routes)
    app.on_response_prepare.append(_set_headers)
    app.on_startup.append(_clear_scratch)
    app.on_shutdown.append(_close_streams)
    return app


def route_pattern(path: str, paths: Iterable[str]) -> str:
    """A path as aiohttp is to match it: its `{id}` is none of the words that stand in this place in another path.

    Else GET at `/commons/join`, which takes POST alone, would be answered as the commons called `join`, and not 405.
    """
    segments = path.split("/")
    others = [other.split("/") for other in paths if other != path]
    written = []
    for at, segment in enumerate(segments):
        if segment.startswith("{"):
            words = {other[at] for other in others if len(other) == len(segments) and _meets(other, segments)}
            words = {re.escape(word) for word in words if not word.startswith("{")}
            if words:
                segment = f"{{{segment[1:-1]}:(?!(?:{'|'.join(sorted(words))})(?:/|$))[^{{}}/]+}}"
        written.append(segment)
    return "/".join(written)


def _meets(other: Sequence[str], template: Sequence[str]) -> bool:
    return all(mine.startswith("{") or theirs == mine for theirs, mine in zip(other, template, strict=True))


def all_operations() -> tuple[Operation, ...]:
    """Every operation of the API, its own description among them."""
    described: list[bytes] = []

    async def describe(call: Call) -> web.StreamResponse:
        return web.Response(body=described[0], content_type="application/json")

    own = Operation(
        "GET", "/api/v1/openapi.json", "getOpenapi", "This document", describe, answer={"type": "object"}, always=True
    )
    operations = (*OPERATIONS, own)
    described.append(dump(document(operations)))
    return operations


async def _set_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


async def _clear_scratch(app: web.Application) -> None:
    # What a killed process left: packs and backups on their way.
    folder = app[SCRATCH]
    if folder is not None:
        for left in await asyncio.to_thread(lambda: list(folder.glob(SCRATCH_PREFIX + "*"))):
            await asyncio.to_thread(rmtree, left, ignore_errors=True)


async def _close_streams(app: web.Application) -> None:
    await app[STREAMS].close()


class ApiServer:
    """An application listening at one address, from `async with` in to out. OSError where the port is taken."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=STOP_S_MAX,
            handle_signals=False,
            keepalive_timeout=KEEP_S,
            auto_decompress=False,  # nothing here is sent compressed, and what is could unfold to any size
            max_line_size=API_URL_BYTES_MAX,
            logger=_CALLERS_HTTP,
        )
        self._begun = app[BEGUN]
        self._listening: asyncio.Server | None = None
        self._looking: asyncio.Task[None] | None = None
        self._host = host
        self._port = port

    async def __aenter__(self) -> ApiServer:
        # The port first: an application whose start failed cannot be started again, and the next port is tried with it.
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        bound = socket.create_server((self._host, self._port), family=family, backlog=_BACKLOG)
        try:
            self._port = bound.getsockname()[1]
            await self._runner.setup()
            assert self._runner.server is not None
            accepting = Accepting(self._runner.server, self._begun)
            self._listening = await asyncio.get_running_loop().create_server(accepting, sock=bound, backlog=_BACKLOG)
        except BaseException:
            await self._runner.cleanup()
            bound.close()
            raise
        self._looking = asyncio.create_task(accepting.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()

    @property
    def host(self) -> str:
        """The host as it was asked for."""
        return self._host

    @property
    def port(self) -> int:
        """The port really bound."""
        return self._port

    @property
    def address(self) -> str:
        """`HOST:PORT`."""
        return f"[{self._host}]:{self.port}" if ":" in self._host else f"{self._host}:{self.port}"
