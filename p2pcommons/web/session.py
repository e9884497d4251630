"""The page's session: who may write from a browser, and how a form proves that it is one of this page's own.

Reading is open on loopback. A session, which may do everything, is made at the first page that is read from

    1. a loopback address, with no mark of a proxy on the request, and
    2. a socket that belongs to the same user of this machine as the node does (`web.caller`),

so that the owner is asked nothing, while other users of the machine, and whoever comes through a proxy on it, only
read. Where the system cannot tell whose socket it is, or the owner comes by another way, `/enter` takes the token
of `DATA/api-token`, which only the owner can read.

The cookie is signed with a key made from that token: nothing is remembered here, a restart ends no session, a new
token ends them all. It is `HttpOnly` and `SameSite=Strict`; browsers share cookies between ports, so a session made
by (1, 2) is good for writing only from a socket of that user: a cookie that leaked to another program is worth
nothing to it. Every write must come from this very origin (`Sec-Fetch-Site`, `Origin`) *and* carry the form token,
which is made from the session and stands in no cookie. `Host` was checked before (`api.auth`), against DNS rebinding.
"""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Grant, is_loopback
from p2pcommons.errors import P2PCommonsError
from p2pcommons.web.caller import is_own_user

FORM_TOKEN_HEADER: Final = "P2PCommons-Form"
"""How a script of this page would send the form token to the API."""

SESSION_S: Final = 30 * 24 * 3600  # a month: then the cookie is made anew, unasked, at the next page
_RENEWED_S: Final = SESSION_S // 2  # with less left, a page gives a fresh one
_SAFE: Final = frozenset({"GET", "HEAD"})
_PROXY_MARKS: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
_OWN, _TOKEN = "own", "token"


class Denied(P2PCommonsError):
    """A request that the page refuses. Codes: `foreign-form`, `no-session`, `old-form`, `wrong-token`, `bad-form`."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that may write."""

    value: str
    """What stands in the cookie."""
    form_token: str
    """What stands in every form."""
    by_token: bool
    """Opened with the token, so good from any socket that reaches this node."""
    expires: int
    """Unix seconds."""


class Sessions:
    """Makes and knows the sessions of one node's page."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._key = sha256(b"p2pcommons page session\0" + token.encode()).digest()
        self.mark = sha256(self._key).hexdigest()[:8]
        """Part of cookie names: nodes on one machine share a browser's cookies."""
        self.cookie = f"p2pcommons-{self.mark}"

    def find(self, request: web.Request) -> Session | None:
        """The session that the request's cookie names; None where it has none that is good now."""
        value = request.cookies.get(self.cookie, "")
        kind, _, rest = value.partition(".")
        expires, _, rest = rest.partition(".")
        nonce, _, _ = rest.partition(".")
        if kind not in (_OWN, _TOKEN) or not (expires.isascii() and expires.isdigit() and len(expires) < 12):
            return None
        if not compare_digest(value.encode("utf-8", "replace"), self._sign(kind, int(expires), nonce).encode()):
            return None
        return self._session(value, kind, int(expires)) if int(expires) > time.time() else None

    def open(self, request: web.Request) -> Session | None:
        """A new session for the owner's browser; None for any other caller."""
        return self._new(_OWN) if is_owner(request) else None

    def enter(self, token: str) -> Session:
        """A new session for whoever knows the token. Denied `wrong-token`."""
        if not compare_digest(token.strip().encode("utf-8", "replace"), self._token.encode()):
            raise Denied("wrong-token", "this is not the token in DATA/api-token")
        return self._new(_TOKEN)

    def is_old(self, session: Session) -> bool:
        """Whether it is time to give a fresh one."""
        return session.expires - time.time() < _RENEWED_S

    def check(self, request: web.Request, session: Session | None, form_token: str) -> Session:
        """The session, where it may write what this form says. Denied otherwise."""
        check_origin(request)
        if session is None or not (session.by_token or is_owner(request)):
            raise Denied("no-session", "this browser may read here, not write")
        if not compare_digest(form_token.encode("utf-8", "replace"), session.form_token.encode()):
            raise Denied("old-form", "this form was made for another session: load the page again")
        return session

    async def grant(self, request: web.Request) -> Grant:
        """What the page's cookie allows at the API (`ApiSettings.session`): all, for this origin's own scripts."""
        session = self.find(request)
        if session is None:
            return Grant.NONE
        try:
            if request.method in _SAFE:
                check_origin(request)
            else:
                self.check(request, session, request.headers.get(FORM_TOKEN_HEADER, ""))
        except Denied:
            return Grant.NONE
        return Grant.OWN if session.by_token or is_owner(request) else Grant.NONE

    def _new(self, kind: str) -> Session:
        expires = int(time.time()) + SESSION_S
        return self._session(self._sign(kind, expires, secrets.token_urlsafe(16)), kind, expires)

    def _sign(self, kind: str, expires: int, nonce: str) -> str:
        signed = f"{kind}.{expires}.{nonce}"
        mark = digest(self._key, b"session\0" + signed.encode("utf-8", "replace"), "sha256")
        return f"{signed}.{_text(mark)}"

    def _session(self, value: str, kind: str, expires: int) -> Session:
        form_token = _text(digest(self._key, b"form\0" + value.encode(), "sha256"))
        return Session(value, form_token, kind == _TOKEN, expires)


def is_owner(request: web.Request) -> bool:
    """Whether the request comes from this machine, through no proxy, from the user that runs the node."""
    if not is_loopback(request) or any(name in request.headers for name in _PROXY_MARKS) or request.transport is None:
        return False
    caller, here = request.transport.get_extra_info("peername"), request.transport.get_extra_info("sockname")
    return bool(caller and here and is_own_user((caller[0], caller[1]), (here[0], here[1])))


def check_origin(request: web.Request) -> None:
    """Denied `foreign-form` unless the browser says that the request was made by a page of this very origin."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    own = {f"{scheme}://{request.headers.get('Host', '')}" for scheme in ("http", "https")}
    if (
        (site is None and origin is None)
        or site not in (None, "same-origin")
        or (origin is not None and origin not in own)
    ):
        raise Denied("foreign-form", "this was not sent by a page of this node")


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
