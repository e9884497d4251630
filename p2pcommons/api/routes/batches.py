"""Many entries in one request."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant
from p2pcommons.api.batch import MEDIA_TYPES, NDJSON, Spool, lines_of, relay
from p2pcommons.api.operation import Call, Media, Operation
from p2pcommons.api.routes.entries import TO_COMMONS
from p2pcommons.api.schema import Stream
from p2pcommons.api.serving import SCRATCH
from p2pcommons.api.streams import STREAMS


async def _batch(call: Call) -> web.StreamResponse:
    request = call.request
    response = web.StreamResponse(headers={"Content-Type": NDJSON})

    async def work() -> None:
        with Spool(request.app[SCRATCH]) as spool:
            await relay(answers, response, spool)

    answers = await call.commons.batch(call.arguments["commons"], lines_of(request.content))
    await response.prepare(request)
    await request.app[STREAMS].run(request, work())
    return response


OPERATIONS: Final = (
    Operation(
        "POST", "/api/v1/entries:batch", "addEntries",
        "Add many entries: one a line, answered by one line each, in order, durable when sent; a client may send "
        "everything before it reads anything; an `error` line with `stopped: true` is the last: the node cannot go on",
        _batch, answer=Media((NDJSON,)), needs=Grant.CONTRIBUTE, parameters=(TO_COMMONS,),
        body=Stream(MEDIA_TYPES, "Entry JSON, one a line, of any number of lines", required=False),
        refusals={403: "`not-a-member`", 404: "`unknown-commons`", 409: "`commons-waiting`"}, lasting=True,
    ),
)  # fmt: skip
