"""Answers that last: every open one is known, so that stopping the node closes them all at once.

A server-sent event stream or a batch may last for hours; left alone, each would keep the process from ending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from p2pcommons.api.problems import NotReady

CLOSE_S_MAX: Final = 1.0  # what an answer gets to end by itself once it is told


class Streams:
    """The long answers under way. Driven by the handlers (`run`) and by the server's shutdown (`close`)."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Task[None], web.Request] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, request: web.Request, work: Coroutine[Any, Any, None]) -> None:
        """Do the work of one long answer until it ends, the caller goes, or the node stops: none is an error."""
        if self._closed:
            work.close()
            raise NotReady("stopping", "this node is stopping")
        task = asyncio.create_task(work)
        self._open[task] = request
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()  # where the handler itself was cancelled
            del self._open[task]
        with suppress(asyncio.CancelledError, ConnectionError):  # stopped; ClientConnectionResetError: a closed tab
            task.result()

    async def close(self) -> None:
        """End them all: told first, then cut off, so that a client that does not read holds nothing up."""
        self._closed = True
        waiting = dict(self._open)
        for task in waiting:
            task.cancel()
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=CLOSE_S_MAX)
            for request in waiting.values():
                if request.transport is not None and (late or not _drained(request)):
                    request.transport.abort()


def _drained(request: web.Request) -> bool:
    transport = request.transport
    return not isinstance(transport, asyncio.WriteTransport) or transport.get_write_buffer_size() == 0


STREAMS: Final = web.AppKey("streams", Streams)
