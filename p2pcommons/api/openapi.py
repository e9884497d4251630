"""The OpenAPI 3.1 document, written from the operations themselves."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from p2pcommons import __version__
from p2pcommons.api import problems
from p2pcommons.api.auth import Grant
from p2pcommons.api.entry_schema import ENTRY_SCHEMAS
from p2pcommons.api.operation import Listing, Media, Operation
from p2pcommons.api.schema import Stream
from p2pcommons.api.wire import Schema, codec, component, parts
from p2pcommons.node.values import FacetCount

_PROBLEM: Final = {problems.PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def document(operations: Iterable[Operation]) -> Schema:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    kinds: set[Any] = {FacetCount}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
        kinds |= parts(operation.answer.item if isinstance(operation.answer, Listing) else operation.answer)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "p2pcommons, the API of a node",
            "version": __version__,
            "description": "Ids are lower-case hex, people and nodes `did:key`, times RFC 3339. Reading is open on "
            "loopback; writing needs the token of `DATA/api-token`. After an answer to a write, every read sees it. "
            "Formats: `commons-id` and `entry-id` are ids, 64 digits; `did-key` a `did:key` of an Ed25519 key; `address` "
            "`[KEY@]HOST:PORT` or `[KEY@]wss://HOST[:PORT]/PATH`; `invitation` the pasted line; `box` `W,S,E,N` in "
            "degrees, south not above north; `circle` `LAT,LON,KM`; `spdx-expression` a licence.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **ENTRY_SCHEMAS,
                **{kind.__name__: component(kind) for kind in sorted(kinds, key=lambda kind: kind.__name__)},
                "Problem": problems.SCHEMA,
            },
        },
    }


def _operation(operation: Operation) -> Schema:
    written: Schema = {
        "operationId": operation.name,
        "summary": operation.meaning,
        # On loopback reading needs nothing: an empty requirement.
        "security": [{"token": []}] if operation.needs > Grant.READ else [{}, {"token": []}],
        "responses": _responses(operation),
    }
    if operation.parameters:
        written["parameters"] = [parameter.document() for parameter in operation.parameters]
    if operation.body is not None:
        schema = operation.body.schema()
        written["requestBody"] = {
            "required": operation.body.required,
            "content": {media_type: {"schema": schema} if schema else {} for media_type in operation.body.media_types},
        }
    return written


def _responses(operation: Operation) -> Schema:
    answered: Schema = {"description": HTTPStatus(operation.status).phrase}
    content = _content(operation.answer)
    if content:
        answered["content"] = content
    for media_type in operation.told_as:
        answered["content"][media_type] = {}
    responses = {str(status): {"description": why, "content": _PROBLEM} for status, why in _refusals(operation)}
    responses |= {str(status): answered | {"description": why} for status, why in operation.also.items()}
    return {str(operation.status): answered} | dict(sorted(responses.items()))


def _refusals(operation: Operation) -> Iterable[tuple[int, str]]:
    """Every status of a problem, and why: what all operations share, and what is its own."""
    shared = {400: "a parameter or the body is not as described; `parameter` or `field` names it"}
    shared[401] = "the token is missing or wrong" + ("" if operation.needs > Grant.READ else ", and not from loopback")
    shared[403] = "`host-not-allowed`: by this name nobody is here"
    if "{" in operation.path:
        shared[404] = "nothing has this address"
    if operation.needs > Grant.READ or "{" in operation.path:
        shared[409] = "not as things stand here now, as with `clock-wrong` or `commons-waiting`"
    if operation.body is not None:
        shared[415] = "`unsupported-media-type`"
        if not isinstance(operation.body, Stream):
            shared[413] = "`too-large`"
    if not operation.always:
        shared[503] = "`not-ready`: starting or stopping"
    return {**shared, **operation.refusals}.items()


def _content(answer: Any) -> Schema:
    if answer is None:
        return {}
    if isinstance(answer, Media):
        return {media_type: {} for media_type in answer.types}
    return {"application/json": {"schema": _schema(answer)}}


def _schema(answer: Any) -> Schema:
    if isinstance(answer, Listing):
        return {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": _schema(answer.item)},
                "next": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                **answer.more,
            },
            "required": ["items", "next", *answer.more],
        }
    return answer if isinstance(answer, dict) else codec(answer).schema
