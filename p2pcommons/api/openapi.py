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
from p2pcommons.api.schema import Fields, Free
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
            "loopback; writing needs the token of `DATA/api-token`. After an answer to a write, every read sees it.",
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
        required = operation.body.required if isinstance(operation.body, (Fields, Free)) else True
        schema = operation.body.schema()
        written["requestBody"] = {
            "required": required,
            "content": {media_type: {"schema": schema} for media_type in operation.body.media_types},
        }
    return written


def _responses(operation: Operation) -> Schema:
    answered: Schema = {"description": HTTPStatus(operation.status).phrase}
    content = _content(operation.answer)
    if content:
        answered["content"] = content
    responses = {str(operation.status): answered}
    for status, why in operation.refusals.items():
        responses[str(status)] = {"description": why, "content": _PROBLEM}
    responses["default"] = {"description": "what was wrong, and what to do", "content": _PROBLEM}
    return responses


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
