"""Answers that last: every open one is known, so that stopping the node closes them all at once.

A server-sent event stream or a batch may last for hours; left alone, each would keep the process from ending.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from aiohttp import web

from p2pcommons.api.problems import NotReady, route_of

_log = logging.getLogger(__name__)

CLOSE_S_MAX: Final = 1.0  # what an answer gets to end by itself once it is told


class Streams:
    """The long answers under way. Driven by the handlers (`run`) and by the server's shutdown (`close`)."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Task[None], web.Request] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, request: web.Request, work: Coroutine[Any, Any, None], *, whole: bool = True) -> None:
        """Do the work of one long answer, whose headers are sent, until it ends, the caller goes or the node stops.

        `whole`: the answer is worth something only when it is complete, so one that ends before is cut off: the
        caller's HTTP library sees that the end is missing.
        """
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
        try:
            task.result()
        except (asyncio.CancelledError, ConnectionError):  # stopped; ClientConnectionResetError: a closed tab
            cut = whole
        except Exception:  # the edge of this task: the status is sent, so all that is left is to cut
            _log.exception("%s %s broke off", request.method, route_of(request))
            cut = True
        else:
            cut = False
        if cut and request.transport is not None:
            request.transport.close()

    async def close(self) -> None:
        """End them all; what does not end at once is left to the server's own deadline."""
        self._closed = True
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(list(self._open), timeout=CLOSE_S_MAX)


STREAMS: Final = web.AppKey("streams", Streams)
