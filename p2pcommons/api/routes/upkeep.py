"""Looking after the data: verify, rebuild, doctor.

The first two may last for minutes. To whom asks for `application/x-ndjson` they tell their progress, a line
`{"progress": {"done", "total"}}` now and then, and last a line `{"result": …}` or `{"error": {"code", "detail"}}`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.batch import NDJSON
from p2pcommons.api.operation import Call, Listing, Operation, answer_items, answer_json
from p2pcommons.api.problems import http_code
from p2pcommons.api.streams import STREAMS
from p2pcommons.api.wire import dump, to_json
from p2pcommons.errors import P2PCommonsError
from p2pcommons.node.values import Check, Progress, Rebuilt, VerifyInfo

TELL_S: Final = 0.5  # how often progress is told

Work = Callable[[Progress | None], Awaitable[Any]]  # gives JSON values


async def _verify(call: Call) -> web.StreamResponse:
    async def work(progress: Progress | None) -> Any:
        return to_json(await call.commons.verify(progress))

    return await told(call, work)


async def _rebuild(call: Call) -> web.StreamResponse:
    async def work(progress: Progress | None) -> Any:
        return {"items": [to_json(one) for one in await call.commons.rebuild(progress)], "next": None}

    return await told(call, work)


async def _doctor(call: Call) -> web.StreamResponse:
    return answer_items(map(to_json, await call.commons.doctor()), None)


async def told(call: Call, work: Work) -> web.StreamResponse:
    """The answer of some long work; its progress too where that is asked for."""
    if NDJSON not in call.request.headers.get("Accept", ""):
        return answer_json(await work(None))
    response = web.StreamResponse(headers={"Content-Type": NDJSON})
    await response.prepare(call.request)
    await call.request.app[STREAMS].run(call.request, _lines(work, response))
    return response


async def _lines(work: Work, response: web.StreamResponse) -> None:
    latest = [0, 0]

    def note(done: int, total: int) -> None:  # from any thread: only the newest counts
        latest[:] = done, total

    async def ended() -> dict[str, Any]:
        try:
            return {"result": await work(note)}
        except P2PCommonsError as error:
            return {"error": {"code": http_code(error.code), "detail": error.detail}}

    task = asyncio.create_task(ended())
    try:
        while not (await asyncio.wait({task}, timeout=TELL_S))[0]:
            done, total = latest
            await response.write(dump({"progress": {"done": done, "total": total}}) + b"\n")
        await response.write(dump(task.result()) + b"\n")
        await response.write_eof()
    finally:
        task.cancel()


OPERATIONS: Final = (
    Operation(
        "POST", "/api/v1/verify", "verify", "Check every hash and signature kept", _verify, answer=VerifyInfo,
        told_as=(NDJSON,), needs=Grant.OWN,
    ),
    Operation(
        "POST", "/api/v1/rebuild", "rebuild", "Make all views from the records anew; `before` and `after` are digests",
        _rebuild, answer=Listing(Rebuilt), told_as=(NDJSON,), needs=Grant.OWN,
    ),
    Operation(
        "GET", "/api/v1/doctor", "doctor", "Look at what commonly goes wrong", _doctor, answer=Listing(Check),
    ),
)  # fmt: skip
