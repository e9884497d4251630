"""Going out to other nodes: one link to one address (chapter 30, "Links").

`HOST:PORT` is TLS with whatever certificate the other node made: the handshake inside proves whose it is.
`wss://HOST/PATH` is a proxy with a certificate of the web. Nothing is followed: no redirect, no proxy of the
environment. An address heard from others is dialled only where it leads into the open internet, and where the caller
agrees to each IP address that its name resolves to, so that nobody can send this node to knock at its own house.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from types import SimpleNamespace, TracebackType
from typing import Final, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from p2pcommons.core.address import Address
from p2pcommons.core.limits import CLOSE_MS_MAX, CONNECT_MS_MAX, HEARTBEAT_MS
from p2pcommons.core.outside import Outside, is_ip, is_outside, may_exchange
from p2pcommons.errors import P2PCommonsError
from p2pcommons.network.certificate import dialling_context
from p2pcommons.network.link import MESSAGE_BYTES_MAX, SUBPROTOCOL, Link
from p2pcommons.sync.handshake import Role, direct_channel, hosted_channel

_HEARD_PLACES_MAX: Final = 2  # IP addresses tried of one name that others told: one of each family
_NOT_NOW: Final = frozenset({502, 503, 504})  # a proxy whose node is down or starting, or a node that is full


Judge: TypeAlias = Callable[[str], bool]
"""Asked of each IP address that others told, just before it is dialled."""

_JUDGE: ContextVar[Judge | None] = ContextVar("judge", default=None)
"""Of the dial that goes on in this task; None: any address will do."""


class DialFailed(P2PCommonsError):
    """No link came about; `detail` says why and what a person may do."""


class Dialler:
    """Makes links, within `async with`; what it made outlives no exit."""

    def __init__(
        self,
        *,
        connect_ms_max: int = CONNECT_MS_MAX,
        web_trust: ssl.SSLContext | None = None,
        outside: Outside = is_outside,
    ) -> None:
        self._connect_s_max = connect_ms_max / 1000
        self._direct = dialling_context()
        self._web = web_trust or ssl.create_default_context()
        self._outside = outside
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Dialler:
        self._session = _session()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def dial(self, address: Address, *, heard: Judge | None = None) -> Link:
        """A link to this address. `heard`: it came from other nodes, not from a person; who judges where it leads.

        DialFailed: `not_routable`, `timed_out`, `unreachable`, `bad_certificate`, `not_a_node`.
        """
        host, url, target = address.host, address.url, address.target
        if heard is not None:
            self._check_heard(address, heard)
        judged = _JUDGE.set(None if heard is None else lambda ip: self._outside(ip) and heard(ip))
        try:
            async with asyncio.timeout(self._connect_s_max):
                websocket = await self._session.ws_connect(
                    url or f"https://{target}/",
                    protocols=(SUBPROTOCOL,),
                    ssl=self._web if url else self._direct,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_MS_MAX / 1000),
                    heartbeat=HEARTBEAT_MS / 1000,
                    compress=0,
                    max_msg_size=MESSAGE_BYTES_MAX,
                )
        except TimeoutError as error:
            raise DialFailed("timed_out", f"{target} did not answer in time; it is tried again later") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise DialFailed(
                "bad_certificate",
                f"the certificate of {host} is not valid: {error}; its host must renew it, or the address is wrong",
            ) from error
        except (aiohttp.WSServerHandshakeError, _Redirected) as error:
            if isinstance(error, aiohttp.WSServerHandshakeError) and error.status in _NOT_NOW:
                raise DialFailed(
                    "unreachable",
                    f"what answers at {target} is there, the node behind it does not ({error.status}); it is tried again later",
                ) from error
            raise DialFailed(
                "not_a_node", f"what answers at {target} is no p2pcommons node; check the address"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise DialFailed("unreachable", f"{target} cannot be reached: {_why(error)}") from error
        finally:
            _JUDGE.reset(judged)
        link = Link(websocket, Role.DIALLER, b"", target)
        if websocket.protocol != SUBPROTOCOL:
            await link.close(aiohttp.WSCloseCode.PROTOCOL_ERROR, "no common subprotocol")
            raise DialFailed("not_a_node", f"what answers at {target} is no p2pcommons node; check the address")
        if url:
            link.channel = hosted_channel(host)
            return link
        tls: ssl.SSLObject | None = websocket.get_extra_info("ssl_object")
        certificate = tls.getpeercert(True) if tls is not None else None
        if certificate is None:
            await link.close()
            raise DialFailed("unreachable", f"{target} ended the link while it was made; it is tried again later")
        link.channel = direct_channel(certificate)
        return link

    def _check_heard(self, address: Address, heard: Judge) -> None:
        """What stands for itself is judged here, what is a name when it is resolved."""
        may = may_exchange(address.host, address.port, self._outside)
        if may and is_ip(address.host):
            may = heard(address.host)
        if not may:
            told = f"{address.target} does not lead into the open internet, or was tried often; it is not dialled"
            raise DialFailed("not_routable", told)


def _why(error: Exception) -> str:
    """The reason in the system's own words, without the library's."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if not isinstance(inner, OSError):
        return type(inner).__name__
    # asyncio words refusals its own way; names that do not resolve have negative numbers
    return os.strerror(inner.errno) if inner.errno and inner.errno > 0 else inner.strerror or type(inner).__name__


class _Resolver(AbstractResolver):
    """Names by the system's means; of names that others told, only places that are agreed to."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a name. OSError if it has none that may be dialled."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        results = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]
        judge = _JUDGE.get()
        if judge is None:
            return results
        agreed: list[ResolveResult] = []
        for result in results:
            if len(agreed) < _HEARD_PLACES_MAX and judge(result["host"]):
                agreed.append(result)
        if not agreed:
            raise OSError(f"{host} does not lead into the open internet, or was tried often")
        return agreed

    async def close(self) -> None:
        """Nothing is held."""


class _Redirected(Exception):
    pass


async def _refuse_redirect(
    session: aiohttp.ClientSession, context: SimpleNamespace, told: aiohttp.TraceRequestRedirectParams
) -> None:
    told.response.close()
    raise _Redirected


def _session() -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)  # ws_connect itself would follow
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=_Resolver(), use_dns_cache=False, force_close=True, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"User-Agent": SUBPROTOCOL},
        trace_configs=[trace],
    )
