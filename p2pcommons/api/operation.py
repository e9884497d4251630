"""An operation: one method at one path, with everything that checks, describes and answers it.

The routes declare operations; the server binds each to aiohttp, and `openapi` writes them down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from aiohttp import web

from p2pcommons.api.auth import DOOR, Grant
from p2pcommons.api.problems import NotReady, Unsupported
from p2pcommons.api.schema import BadRequest, Body, Parameter, Stream, bad_parameter, read_arguments
from p2pcommons.api.verbs import Verbs
from p2pcommons.api.wire import dump, load, to_json
from p2pcommons.errors import FormError

COMMONS: Final = web.AppKey("commons", Verbs)

T = TypeVar("T")


class Call(NamedTuple):
    """A request that fits its operation, on its way to a handler."""

    request: web.Request
    commons: Verbs
    arguments: Mapping[str, Any]  # path and query, parsed, defaults filled in
    body: Any  # the parsed body; None where there is none or the handler reads it as a stream


class Listing(NamedTuple):
    """An answer `{"items": […], "next": …}` of this kind of item, with further members."""

    item: Any
    more: Mapping[str, Any] = {}


class Media(NamedTuple):
    """An answer that is no JSON document."""

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path. `answer`: a dataclass, a schema, a Listing, Media, or None for no content."""

    method: str
    path: str  # from the root, `{name}` for path parameters
    name: str  # operationId
    meaning: str
    handler: Callable[[Call], Awaitable[web.StreamResponse]]
    answer: Any = None
    status: int = 200
    needs: Grant = Grant.READ
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    refusals: Mapping[int, str] = field(default_factory=dict)  # statuses of its own and why
    also: Mapping[int, str] = field(default_factory=dict)  # further statuses of the same answer
    told_as: tuple[str, ...] = ()  # media types in which the answer comes to whom asks for them
    lasting: bool = False  # a stream: no HEAD
    always: bool = False  # answers before the node is ready

    def methods(self) -> tuple[str, ...]:
        """The methods to register: reading a document answers HEAD too."""
        return ("GET", "HEAD") if self.method == "GET" and not self.lasting else (self.method,)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Admit, check and answer one request."""
        commons = request.app[COMMONS]
        await request.app[DOOR].admit(request, self.needs)
        if not self.always:
            health = await commons.health()
            if not health.ready:
                raise NotReady("not-ready", health.detail or "this node is starting; ask again in a moment")
        arguments = read_arguments(self.parameters, request.match_info, list(request.query.items()))
        return await self.handler(Call(request, commons, arguments, await self._body(request)))

    async def _body(self, request: web.Request) -> Any:
        if self.body is None:
            return None
        if not request.can_read_body and not isinstance(self.body, Stream) and not self.body.required:
            return self.body.check({})
        if request.headers.get("Content-Type") and request.content_type not in self.body.media_types:
            wanted = " or ".join(self.body.media_types)
            raise Unsupported("unsupported-media-type", f"send {wanted}, not {request.content_type}")
        if isinstance(self.body, Stream):
            return None
        data = await request.read()
        if not data.strip():
            if self.body.required:
                raise BadRequest("bad-body", "a JSON object is missing as the body", {})
            return self.body.check({})
        try:
            return self.body.check(load(data))
        except FormError as error:
            raise BadRequest(error.code, error.detail, {}) from None


def answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] = {}, content_type: str = "application/json"
) -> web.Response:
    """A JSON answer of a dataclass of `node.values`."""
    return answer_json(to_json(value), status=status, headers=headers, content_type=content_type)


def answer_json(
    value: Any, *, status: int = 200, headers: Mapping[str, str] = {}, content_type: str = "application/json"
) -> web.Response:
    """A JSON answer of JSON values."""
    return web.Response(status=status, body=dump(value), content_type=content_type, headers=headers)


def answer_items(items: Iterable[Any], next_cursor: str | None, more: Mapping[str, Any] = {}) -> web.Response:
    """A list: `{"items": […], "next": cursor|null}` and further members."""
    return answer_json({"items": list(items), "next": next_cursor, **more})


def nothing() -> web.Response:
    """204."""
    return web.Response(status=204)


def slice_of(items: tuple[T, ...], call: Call) -> tuple[tuple[T, ...], str | None]:
    """The page of a short list that `limit` and `cursor` ask for: here the cursor is a place in the list."""
    start = int(call.arguments["cursor"] or 0)
    end = start + call.arguments["limit"]
    return items[start:end], str(end) if end < len(items) else None


def etags(request: web.Request, header: str) -> tuple[str, ...] | None:
    """The strong entity tags of `If-Match` or `If-None-Match`; None where absent or `*`. BadRequest."""
    text = request.headers.get(header)
    if text is None or text.strip() == "*":
        return None
    found = []
    for part in text.split(","):
        tag = part.strip()
        if tag.startswith("W/"):
            continue  # RFC 9110: a weak tag never matches here
        if len(tag) < 2 or tag[0] != '"' or tag[-1] != '"' or '"' in tag[1:-1]:
            raise bad_parameter(header, 'give the ETag as it was sent, in double quotes, like "abc"')
        found.append(tag[1:-1])
    return tuple(found)
