"""The pages for people, as routes of the API's server: every request's way in and out.

A request is admitted (`api.auth`), its language, session and form are read, a view answers, the answer is rendered;
what a view refuses becomes a page that says so. A write needs this page's session (`web.session`), and the first
one from a browser is held until the person has read what is public for ever. Drives the views; knows no verb.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Final

from aiohttp import ClientError, web

from p2pcommons.api.auth import DOOR, Grant
from p2pcommons.api.operation import COMMONS
from p2pcommons.api.problems import NotReady, http_code, route_of, status_of
from p2pcommons.api.serving import HEARTBEAT_S
from p2pcommons.api.streams import STREAMS
from p2pcommons.errors import NotFound, P2PCommonsError
from p2pcommons.web import labels
from p2pcommons.web.live import Part, Parts, Pulse
from p2pcommons.web.render import LOOKS, live_part, render, static_files
from p2pcommons.web.session import SESSION_S, Denied, Session, Sessions, check_origin
from p2pcommons.web.texts import LANGUAGES, negotiate, texts
from p2pcommons.web.views import VIEWS, enter
from p2pcommons.web.visit import (
    ACCEPTED,
    FORM_TOKEN,
    Answer,
    Download,
    Page,
    Pairs,
    Redirect,
    View,
    Visit,
    path_back,
    read_form,
)

logger = logging.getLogger(__name__)

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self'; img-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    # Not `no-referrer`: browsers then send `Origin: null` with this page's own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
LIVE_HEADER: Final = "P2PCommons-Live"
"""Sent by a page that asks for its own live part again."""
LANGUAGE_COOKIE: Final = "p2pcommons-language"
LOOK_COOKIE: Final = "p2pcommons-look"
ACCEPTED_COOKIE: Final = "p2pcommons-accepted"
_YEAR_S: Final = 365 * 24 * 3600


class Pages:
    """The pages of one node. `token`: the content of `DATA/api-token`."""

    def __init__(self, token: str) -> None:
        self.sessions = Sessions(token)
        self._pulse = Pulse()
        self._parts: Parts[str | None] = Parts()

    async def grant(self, request: web.Request) -> Grant:
        """What the page's cookie allows at the API, for `ApiSettings.session`."""
        return await self.sessions.grant(request)

    def routes(self) -> list[web.AbstractRouteDef]:
        """All routes, for `build_app(…, extra_routes=…)`; they come after the API's own."""
        views = (*VIEWS, View("POST", "/enter", enter.opening(self.sessions), by_anyone=True))
        found: list[web.AbstractRouteDef] = [
            web.get("/static/{hash}/{name}", _static),
            web.get("/favicon.ico", _icon),
            web.get("/live", self._live),
            web.get("/language/{choice}", self._remember(LANGUAGE_COOKIE, tuple(LANGUAGES))),
            web.get("/look/{choice}", self._remember(LOOK_COOKIE, LOOKS)),
        ]
        for view in views:
            found.append(web.route(view.method, view.path, self._handler(view)))  # GET answers HEAD too
        found.append(web.get("/{path:(?!api/).*}", self._handler(View("GET", "", _nowhere))))
        return found

    # -- one request

    def _handler(self, view: View) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            session = self.sessions.find(request)
            made: Session | None = None
            if view.method == "GET" and (session is None or (not session.by_token and self.sessions.is_old(session))):
                made = self.sessions.open(request)
                session = made or session
            answer: Answer
            form: Pairs = ()
            try:
                await request.app[DOOR].admit(request, Grant.READ)
                if view.method == "POST":
                    form = await read_form(request)
                    self._check(view, request, session, form)
                visit = self._visit(request, session, form)
                if not (health := await visit.commons.health()).ready:
                    raise NotReady("not-ready", health.detail or "this node is starting")
                if LIVE_HEADER in request.headers and view.method == "GET":
                    return await self._part(visit, view)
                if view.publishes and not visit.accepted:
                    answer = _ask_first(visit)
                else:
                    answer = await view.show(visit)
                response = self._response(visit, answer)
            except web.HTTPRequestEntityTooLarge:
                error = Denied("bad-form", "this form is too long")
                response = self._response(self._visit(request, session, ()), _refusal(error))
            except P2PCommonsError as error:
                response = self._response(self._visit(request, session, ()), _refusal(error))
            except (ConnectionError, ClientError):
                raise
            except Exception:  # the edge of a request's task: people get a page, the log gets the fault
                logger.exception("%s %s failed", request.method, route_of(request))
                broken = P2PCommonsError("internal", "something went wrong in this node; its log says what")
                response = self._response(self._visit(request, session, ()), _refusal(broken))
            if made is not None:
                self._keep_session(response, made)
            if view.publishes and dict(form).get(ACCEPTED) == "yes":
                _keep(response, f"{ACCEPTED_COOKIE}-{self.sessions.mark}", "yes", _YEAR_S)
            return response

        return handle

    def _check(self, view: View, request: web.Request, session: Session | None, form: Pairs) -> None:
        if view.by_anyone:
            check_origin(request)
        else:
            self.sessions.check(request, session, dict(form).get(FORM_TOKEN, ""))

    def _visit(self, request: web.Request, session: Session | None, form: Pairs) -> Visit:
        language = request.cookies.get(LANGUAGE_COOKIE, "")
        if language not in LANGUAGES:
            language = negotiate(request.headers.get("Accept-Language", ""))
        look = request.cookies.get(LOOK_COOKIE, "")
        accepted = request.cookies.get(f"{ACCEPTED_COOKIE}-{self.sessions.mark}") == "yes"
        return Visit(
            request,
            request.app[COMMONS],
            texts(language),
            session,
            accepted or dict(form).get(ACCEPTED) == "yes",
            look if look in LOOKS else LOOKS[0],
            form,
        )

    def _response(self, visit: Visit, answer: Answer) -> web.Response:
        if isinstance(answer, Redirect):
            response = web.Response(status=303, headers={**HEADERS, "Location": answer.location})
            for name, value in answer.cookies.items():
                _keep(response, name, value, _YEAR_S)
            if answer.session is not None:
                self._keep_session(response, answer.session)
            return response
        if isinstance(answer, Download):
            named = {"Content-Disposition": f'attachment; filename="{answer.name}"'}
            return web.Response(body=answer.content, content_type=answer.media_type, headers={**HEADERS, **named})
        html = render(visit, answer.template, answer.values)
        headers = {**HEADERS, "Content-Language": visit.texts.language}
        body = html.encode("utf-8", "replace")
        return web.Response(status=answer.status, body=body, content_type="text/html", charset="utf-8", headers=headers)

    # -- pages that follow what happens

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: one whenever something that pages show has changed."""
        await request.app[DOOR].admit(request, Grant.READ)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        await request.app[STREAMS].run(request, self._beat(request, response), whole=False)
        return response

    async def _beat(self, request: web.Request, response: web.StreamResponse) -> None:
        await response.write(b"retry: 2000\n\n")
        async with aclosing(self._pulse.beats(request.app[COMMONS], request.app[HEARTBEAT_S])) as beats:
            async for number in beats:
                await response.write(b":\n\n" if number is None else b"data: %d\n\n" % number)

    async def _part(self, visit: Visit, view: View) -> web.Response:
        """The live part of a page, made once for all who ask for the same between two pulses."""

        async def make() -> Part[str | None]:
            answer = await view.show(visit)
            if not isinstance(answer, Page) or answer.status >= HTTPStatus.BAD_REQUEST:
                return Part(None, True)
            part = live_part(render(visit, answer.template, answer.values))
            mark = visit.session.form_token if visit.session else ""
            return Part(part, part is None or bool(mark and mark in part))

        key = (visit.request.path_qs, visit.texts.language, "may write" if visit.may_write else "")
        part = await self._parts.get(self._pulse.number, key, visit.session.value if visit.session else "", make)
        if part is None:
            return web.Response(status=HTTPStatus.NO_CONTENT, headers=HEADERS)
        headers = {**HEADERS, "Content-Language": visit.texts.language, "Cache-Control": "no-store"}
        body = part.encode("utf-8", "replace")
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)

    def _keep_session(self, response: web.Response, session: Session) -> None:
        _keep(response, self.sessions.cookie, session.value, SESSION_S)

    def _remember(self, cookie: str, choices: tuple[str, ...]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            response = web.Response(
                status=303, headers={**HEADERS, "Location": path_back(request.query.get("back", "/"))}
            )
            choice = request.match_info["choice"]
            if choice in choices:
                _keep(response, cookie, choice, _YEAR_S)
            return response

        return handle


def _keep(response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="Strict")


def _ask_first(visit: Visit) -> Page:
    """The page that says what is public for ever; it carries what was typed."""
    kept = [(name, value) for name, value in visit.form if name not in (FORM_TOKEN, ACCEPTED)]
    return Page("accept.html", {"kept": kept, "action": visit.request.path_qs})


def _refusal(error: P2PCommonsError) -> Page:
    status = HTTPStatus.FORBIDDEN if isinstance(error, Denied) else status_of(error)
    if isinstance(error, Denied) and error.code == "bad-form":
        status = HTTPStatus.BAD_REQUEST
    code = http_code(error.code)
    return Page("error.html", {"code": code, "words": labels.REFUSALS.get(code), "detail": error.detail}, int(status))


async def _nowhere(visit: Visit) -> Answer:
    raise NotFound("unknown-page", "there is no page at this address")


async def _static(request: web.Request) -> web.Response:
    file = static_files().get(request.match_info["name"])
    if file is None or file.address != request.path:
        raise web.HTTPNotFound
    return web.Response(
        body=file.content,
        content_type=file.media_type,
        charset="utf-8",
        headers={
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'",
        },
    )


async def _icon(request: web.Request) -> web.Response:
    raise web.HTTPMovedPermanently(static_files()["icon.svg"].address)
