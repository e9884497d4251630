"""Exceptions to HTTP answers: one table, one JSON shape (RFC 9457 problem details with a stable `code`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import ClientError, web

from p2pcommons.api.schema import BadRequest
from p2pcommons.api.wire import Schema, dump, to_json
from p2pcommons.core.limits import API_BODY_BYTES_MAX
from p2pcommons.errors import (
    Conflict,
    FormError,
    LocalProtocolError,
    NotFound,
    P2PCommonsError,
    Refused,
    RemoteProtocolError,
    StoreError,
)
from p2pcommons.node.moderation_values import EntryHidden, EntryWithheld
from p2pcommons.node.values import EntryChanged, EntryWithdrawn

_log = logging.getLogger(__name__)

PROBLEM: Final = "application/problem+json"


class Unauthorised(P2PCommonsError):
    """No token, or a wrong one, where one writes."""


class HostRefused(P2PCommonsError):
    """A `Host` that is none of this node's names: the mark of DNS rebinding."""


class Unsupported(P2PCommonsError):
    """A body of a media type that the route does not take."""


class NotReady(P2PCommonsError):
    """The node is starting or stopping."""


# The first class that fits, from top to bottom.
STATUS: Final[tuple[tuple[type[P2PCommonsError], HTTPStatus], ...]] = (
    (BadRequest, HTTPStatus.BAD_REQUEST),
    (Unauthorised, HTTPStatus.UNAUTHORIZED),
    (HostRefused, HTTPStatus.FORBIDDEN),
    (Unsupported, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (NotReady, HTTPStatus.SERVICE_UNAVAILABLE),
    (EntryWithdrawn, HTTPStatus.GONE),
    (EntryHidden, HTTPStatus.FORBIDDEN),
    (EntryWithheld, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS),
    (EntryChanged, HTTPStatus.PRECONDITION_FAILED),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.BAD_REQUEST),
    (FormError, HTTPStatus.BAD_REQUEST),
    (LocalProtocolError, HTTPStatus.BAD_REQUEST),
    (RemoteProtocolError, HTTPStatus.BAD_GATEWAY),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (P2PCommonsError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
# Refusals that are no fault of the request's form: by code, whatever class they are of.
BY_CODE: Final[Mapping[str, HTTPStatus]] = {
    # "you may not" rather than "this cannot be"
    "not-a-member": HTTPStatus.FORBIDDEN,
    "not-a-steward": HTTPStatus.FORBIDDEN,
    "not-a-closer": HTTPStatus.FORBIDDEN,
    "no-elector": HTTPStatus.FORBIDDEN,
    "not-the-proposer": HTTPStatus.FORBIDDEN,
    "not-allowed": HTTPStatus.FORBIDDEN,
    "not-asked": HTTPStatus.FORBIDDEN,
    "joining-closed": HTTPStatus.FORBIDDEN,
    # well-formed, and of no place here
    "bad-cursor": HTTPStatus.NOT_FOUND,
    # not as things stand here now
    "commons-waiting": HTTPStatus.CONFLICT,
    "no-commons": HTTPStatus.CONFLICT,
    "unknown-entrance": HTTPStatus.CONFLICT,  # named in a body: the address itself is there
    "unknown-member": HTTPStatus.CONFLICT,
    "bad-proposal": HTTPStatus.CONFLICT,  # well-formed; the rules in force, or the proposal, ask for something else
    "bad-params": HTTPStatus.CONFLICT,
    "bad-options": HTTPStatus.CONFLICT,
    "bad-closers": HTTPStatus.CONFLICT,
    "bad-choice": HTTPStatus.CONFLICT,
    "bad-person-name": HTTPStatus.CONFLICT,
    "not-withdrawn": HTTPStatus.CONFLICT,
    "too-few-stewards": HTTPStatus.CONFLICT,
    "two-charters": HTTPStatus.CONFLICT,
    "stopping": HTTPStatus.SERVICE_UNAVAILABLE,
}

# What aiohttp itself raises, by status.
HTTP_CODES: Final[Mapping[int, tuple[str, str]]] = {
    404: ("unknown-route", "there is nothing at this address; /api/v1/openapi.json lists what there is"),
    405: ("method-not-allowed", "this address does not know this method; /api/v1/openapi.json lists those it knows"),
    413: ("too-large", f"this body is longer than {API_BODY_BYTES_MAX} bytes; send many entries to /entries:batch"),
}

SCHEMA: Final[Schema] = {
    "type": "object",
    "description": "RFC 9457 problem details; `code` is stable, `detail` is for people.",
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
        "detail": {"type": "string"},
        "parameter": {"type": "string", "description": "the path, query or header parameter at fault"},
        "field": {"type": "string", "description": "the member of the body at fault"},
    },
    "required": ["type", "title", "status", "code", "detail"],
}


def http_code(code: str) -> str:
    """An error's code as HTTP answers show it: kebab-case."""
    return code.replace("_", "-")


def status_of(error: P2PCommonsError) -> HTTPStatus:
    """The status that an error is answered with."""
    if isinstance(error, (Refused, LocalProtocolError)) and (found := BY_CODE.get(http_code(error.code))) is not None:
        return found
    return next(status for kind, status in STATUS if isinstance(error, kind))


def problem(
    status: int, code: str, detail: str, members: Mapping[str, Any] = {}, headers: Mapping[str, str] = {}
) -> web.Response:
    """A problem document."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": http_code(code),
        "detail": detail,
        **members,
    }
    return web.Response(status=status, body=dump(body), content_type=PROBLEM, headers=headers)


def problem_of(error: Exception) -> web.Response:
    """The problem document that answers an exception. What nobody foresaw is 500, and logged by the caller."""
    if isinstance(error, web.HTTPException):
        code, detail = HTTP_CODES.get(error.status, (http_code(HTTPStatus(error.status).name.lower()), error.reason))
        kept = {name: value for name, value in error.headers.items() if name in ("Allow", "Location")}
        return problem(error.status, code, detail, headers=kept)
    if not isinstance(error, P2PCommonsError):
        detail = "something went wrong in this node; its log says what. Please report it"
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail)
    members: dict[str, Any] = {}
    headers: dict[str, str] = {}
    match error:
        case BadRequest():
            members = error.members
        case EntryWithdrawn():
            members = to_json(error.withdrawal)
        case EntryHidden():
            members = to_json(error.hidden)
        case EntryWithheld():
            members = to_json(error.withheld)
        case EntryChanged():
            members = {"entry": error.present.entry}
            headers = {"ETag": f'"{error.present.etag}"'}
        case Unauthorised():
            headers = {"WWW-Authenticate": "Bearer"}
        case NotReady() | StoreError():
            headers = {"Retry-After": "1"}
    return problem(status_of(error), error.code, error.detail, members, headers)


def route_of(request: web.Request) -> str:
    """The route that a request found, for logs and metrics: its path may hold the id of a commons, which is a secret."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical


def _failed(request: web.Request) -> dict[str, Any]:
    return {"event": "request_failed", "fields": {"method": request.method, "route": route_of(request)}}


def is_programs(path: str) -> bool:
    """Whether programs ask here (JSON errors), not people (the pages answer their own errors)."""
    return path.startswith("/api/") or path in ("/healthz", "/metrics")


@web.middleware
async def answer_problems(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turn what a handler raises into a problem document, for programs and for refusals made before any page."""
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except web.HTTPException as error:
        if error.status < 400 or not is_programs(request.path):
            raise
        return problem_of(error)
    except (ConnectionError, ClientError, web.RequestPayloadError):
        return problem(400, "broken-off", "this request broke off in the middle")  # mostly nobody is there to read it
    except P2PCommonsError as error:
        if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, NotReady):
            _log.error("%s %s: %s", request.method, route_of(request), error, extra=_failed(request))
        return problem_of(error)
    except Exception as error:  # the edge of a request's task
        _log.exception("%s %s failed", request.method, route_of(request), extra=_failed(request))
        return problem_of(error)
