"""Who may ask: the token, the page's session, loopback, and the `Host` allow-list.

Reading is open on loopback. Whoever writes shows the bearer token of `DATA/api-token`, or comes with a session
of the page. A `Host` that is none of this node's names is refused before anything else, so that a page of a
foreign name that resolves to 127.0.0.1 gets nothing (DNS rebinding). No CORS header is ever sent. A page of another
site could not read what it makes a browser ask here; so that it cannot keep this node busy either, it is refused.

Other nodes come in at one path, through a proxy that serves the node's public names. Those names open this path and
nothing else: under them a proxy that passes on more than it should shows nobody the API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any, Final

from aiohttp import web

from p2pcommons.api.problems import HostRefused, Unauthorised
from p2pcommons.config import NODES_PATH
from p2pcommons.errors import Refused

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})  # what browsers say of a page of another site or port
_SAFE: Final = frozenset({"GET", "HEAD"})


class Grant(IntEnum):
    """What a caller may do; each grant holds those below it."""

    NONE = 0
    READ = 1  # what every member of the commons could read as well
    CONTRIBUTE = 2  # write entries in this person's name
    OWN = 3  # everything: founding, peers, keys, backup, upkeep


Session = Callable[[web.Request], Awaitable[Grant]]
"""The page's session: what this request's cookie grants. It checks origin and form token of writes itself."""


class Door:
    """Decides what a request may do, from its token, its session and where it comes from."""

    def __init__(
        self, token: str, hosts: tuple[str, ...], session: Session | None, public_hosts: tuple[str, ...] = ()
    ) -> None:
        self._token = token.encode()
        self._hosts = LOOPBACK_NAMES | {host.lower() for host in hosts}
        self._public_hosts = frozenset(host.lower() for host in public_hosts)
        self._session = session

    async def grant(self, request: web.Request) -> Grant:
        """What this caller may do. A wrong token grants no more than none."""
        if self._holds_token(request):
            return Grant.OWN
        granted = Grant.NONE if self._session is None else await self._session(request)
        return max(granted, Grant.READ if is_loopback(request) else Grant.NONE)

    async def admit(self, request: web.Request, needed: Grant) -> None:
        """Unauthorised, or Refused `not-allowed` for a session whose role is too small."""
        granted = await self.grant(request)
        if granted >= needed:
            return
        if granted > Grant.READ:
            raise Refused("not-allowed", "this session may not do that; ask the person whose node this is")
        raise Unauthorised(
            "unauthorised",
            "send the token of DATA/api-token as `Authorization: Bearer TOKEN`"
            + (" (the one sent is not it)" if "Authorization" in request.headers else ""),
        )

    def check_host(self, request: web.Request) -> None:
        """HostRefused unless the request names this node."""
        host = request.headers.get("Host", "")
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdigit():
            name = host
        for_nodes = request.path == NODES_PATH and name.lower() in self._public_hosts
        if not for_nodes and name.lower() not in self._hosts:
            raise HostRefused("host-not-allowed", f"this node is not called {host[:100]!r}: use the address it printed")

    def _holds_token(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and compare_digest(token.strip().encode("utf-8", "replace"), self._token)


def is_loopback(request: web.Request) -> bool:
    """Whether the caller is on this machine."""
    try:
        address = ip_address((request.remote or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def check_site(request: web.Request) -> None:
    """HostRefused where a page of another site makes a browser read here, other than by a link that a person follows.

    What writes is judged by token or session.
    """
    headers = request.headers
    followed = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    if request.method in _SAFE and headers.get("Sec-Fetch-Site") in _ELSEWHERE and not followed:
        raise HostRefused("foreign-page", "a page of another site asked for this: open this address by itself")


DOOR: Final = web.AppKey("door", Door)


@web.middleware
async def check_host(request: web.Request, handler: Any) -> web.StreamResponse:
    """Let through only what names this node."""
    request.app[DOOR].check_host(request)
    check_site(request)
    response: web.StreamResponse = await handler(request)
    return response
