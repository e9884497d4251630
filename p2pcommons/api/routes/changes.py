"""What changed, in this node's own order of arrival: as a list, and as server-sent events.

A stream keeps no queue: it reads the log of changes at its client's own speed, so a slow client costs nothing and
misses nothing, and one that comes back goes on at its `Last-Event-ID`.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from p2pcommons.api.forms import Text
from p2pcommons.api.operation import Call, Listing, Media, Operation, answer_items
from p2pcommons.api.schema import LIMIT, Parameter, bad_parameter
from p2pcommons.api.serving import HEARTBEAT_S
from p2pcommons.api.streams import STREAMS
from p2pcommons.api.verbs import Verbs
from p2pcommons.api.wire import HEX_SCHEMA, dump
from p2pcommons.core.limits import PAGE_ITEMS_MAX
from p2pcommons.errors import NotFound
from p2pcommons.node.values import Change

RETRY_MS: Final = 2_000  # when a browser comes back after a broken stream


_POSITION: Final = Text(18, 1, "[0-9]{1,18}", "this is not a cursor of /changes")
_SINCE: Final = Parameter("since", _POSITION, "only what came behind this: `next`, or an item's `cursor`")
_OF_ANOTHER: Final = {404: "`bad-cursor`: of another node, or of before it was restored"}


def change_json(change: Change) -> dict[str, Any]:
    """One change as its JSON."""
    return {"cursor": str(change.position), "commons": change.commons.hex(), "id": change.id.hex()}


async def _list(call: Call) -> web.StreamResponse:
    since = int(call.arguments["since"] or 0)
    await _check(call.commons, since)
    changes = await call.commons.changes(since, call.arguments["limit"])
    return answer_items(map(change_json, changes), str(changes[-1].position) if changes else None)


async def _check(commons: Verbs, since: int) -> None:
    # Nothing would ever come behind a position that this node has not reached.
    if since and since > await commons.latest_change():
        raise NotFound("bad-cursor", "this cursor is of another node, or of before it was restored: start without one")


async def _stream(call: Call) -> web.StreamResponse:
    request = call.request
    said = call.arguments["since"]
    last = request.headers.get("Last-Event-ID")
    if last:
        try:
            said = _POSITION.text(last)
        except ValueError as error:
            raise bad_parameter("Last-Event-ID", str(error)) from None
    since = await call.commons.latest_change() if said is None else int(said)
    await _check(call.commons, since)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    events = _events(call.commons, since, response, request.app[HEARTBEAT_S])
    await request.app[STREAMS].run(request, events, whole=False)
    return response


async def _events(commons: Verbs, since: int, response: web.StreamResponse, heartbeat_s: float) -> None:
    # An id with no data tells a browser where it stands before the first change comes.
    await response.write(f"retry: {RETRY_MS}\nid: {since}\n\n".encode())
    while True:
        changes = await commons.changes(since, PAGE_ITEMS_MAX)
        if changes:
            since = changes[-1].position
            await response.write(b"".join(map(_event, changes)))
        elif not await commons.wait_change(since, heartbeat_s):
            await response.write(b":\n\n")


def _event(change: Change) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (change.position, dump(change_json(change)))


OPERATIONS: Final = (
    Operation(
        "GET", "/api/v1/changes", "listChanges",
        "What changed, in this node's own order of arrival; `next` is null only where nothing came behind `since`",
        _list,
        answer=Listing({
            "type": "object",
            "properties": {"cursor": {"type": "string"}, "commons": HEX_SCHEMA, "id": HEX_SCHEMA},
            "required": ["cursor", "commons", "id"],
        }),
        parameters=(_SINCE, LIMIT), refusals=_OF_ANOTHER,
    ),
    Operation(
        "GET", "/api/v1/changes/stream", "streamChanges",
        "The same as server-sent events; goes on at `Last-Event-ID` or `since`, else starts now", _stream,
        answer=Media(("text/event-stream",)), parameters=(_SINCE,), refusals=_OF_ANOTHER, lasting=True,
    ),
)  # fmt: skip
