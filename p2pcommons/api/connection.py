"""The HTTP underneath the client: requests, problem documents back into exceptions, downloads into files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from aiohttp import ClientConnectorError, ClientError, ClientResponse, ClientSession, ClientTimeout

from p2pcommons.api.wire import dump, from_json, load
from p2pcommons.errors import Conflict, FormError, NotFound, P2PCommonsError, Refused
from p2pcommons.node.folder import new_file
from p2pcommons.node.moderation_values import EntryHidden, EntryWithheld, HiddenInfo, WithheldInfo
from p2pcommons.node.values import EntryAnswer, EntryChanged, EntryWithdrawn, Withdrawal

Parameters = Sequence[tuple[str, str]]

CONNECT_S_MAX: Final = 10.0
ANSWER_S_MAX: Final = 600.0  # founding and joining may search for a stamp on a slow machine
PIECE_BYTES: Final = 256 * 1024
_LINE_BYTES_MAX: Final = 64 * 1024 * 1024  # one event or result: from our own node, yet not without end


class NoAnswer(P2PCommonsError):
    """Nothing answers at the address, it stopped in the middle, or what answers is no node."""


class Answered(NamedTuple):
    """A JSON answer (None where there was no content) and its headers."""

    value: Any
    headers: Mapping[str, str]


class Connection:
    """Requests to one node, from `open()` to `close()`."""

    def __init__(self, address: str, token: str | None) -> None:
        self.base = (address if "://" in address else f"http://{address}").rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session: ClientSession | None = None

    def open(self) -> None:
        """Within the event loop that will make the requests."""
        timeout = ClientTimeout(total=ANSWER_S_MAX, sock_connect=CONNECT_S_MAX)
        self._session = ClientSession(headers=self._headers, timeout=timeout, read_bufsize=PIECE_BYTES)

    async def close(self) -> None:
        """End what is under way."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def begin(
        self,
        method: str,
        path: str,
        parameters: Parameters = (),
        *,
        data: Any = None,
        headers: Mapping[str, str] = {},
        lasting: bool = False,
        also: tuple[int, ...] = (),
    ) -> ClientResponse:
        """A response whose headers are here, to be closed by the caller; an error status (but `also`) is raised."""
        if self._session is None:
            raise Refused("not-open", "Use a Client within `async with`.")
        more: dict[str, Any] = {"timeout": ClientTimeout(total=None, sock_connect=CONNECT_S_MAX)} if lasting else {}
        url = self.base + (path if path.startswith("/healthz") else f"/api/v1{path}")
        with self.answering():
            response = await self._session.request(
                method, url, params=parameters, data=data, headers=headers, allow_redirects=False, **more
            )
            if response.status >= 300 and response.status not in also:
                async with response:
                    raise error_of(response.status, response.headers, await response.read())
        return response

    @asynccontextmanager
    async def opened(
        self, method: str, path: str, parameters: Parameters = (), **more: Any
    ) -> AsyncIterator[ClientResponse]:
        """The same, closed at the end."""
        response = await self.begin(method, path, parameters, **more)
        try:
            with self.answering():
                yield response
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        parameters: Parameters = (),
        *,
        headers: Mapping[str, str] = {},
        also: tuple[int, ...] = (),
    ) -> Answered:
        """Send JSON (or nothing) and read the JSON answer."""
        data = None if body is None else dump(body)
        all_headers = dict(headers) if body is None else {"Content-Type": "application/json", **headers}
        async with self.opened(method, path, parameters, data=data, headers=all_headers, also=also) as response:
            content = await response.read()
            return Answered(load(content) if content else None, response.headers)

    async def get(self, path: str, parameters: Parameters = ()) -> Any:
        """The JSON at a path."""
        return (await self.send("GET", path, None, parameters)).value

    async def fetch(self, path: str, parameters: Parameters, target: Path) -> tuple[Mapping[str, str], int]:
        """Download into a file of mode 0600, which appears when it is whole; headers and size."""
        partial = target.with_name(target.name + ".partial")
        file = await asyncio.to_thread(_private, partial)
        try:
            async with self.opened("GET", path, parameters, lasting=True) as response:
                async for piece in response.content.iter_chunked(PIECE_BYTES):
                    await asyncio.to_thread(file.write, piece)
                headers = response.headers
            size = await asyncio.to_thread(_settle, file, partial, target)
        except BaseException:
            file.close()
            partial.unlink(missing_ok=True)
            raise
        return headers, size

    async def lines(self, response: ClientResponse) -> AsyncIterator[Sequence[bytes]]:
        """The lines of a lasting answer that came together, as they come, without their newlines."""
        held = bytearray()
        with self.answering():
            async for chunk in response.content.iter_any():
                first, *rest = chunk.split(b"\n")
                held += first
                if rest:
                    *whole, last = rest
                    yield [bytes(held), *whole]
                    held = bytearray(last)
                if len(held) > _LINE_BYTES_MAX:
                    raise FormError("too_large", f"what answers at {self.base} sends a line without end")

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What can go wrong on the way, as NoAnswer."""
        try:
            yield
        except (ClientError, TimeoutError, ConnectionError) as error:
            detail = f"The node at {self.base} {_what_it_did(error)}. Start it (`p2pcommons up`), or see its log."
            raise NoAnswer("no-answer", detail) from error


def _what_it_did(error: Exception) -> str:
    if isinstance(error, ClientConnectorError):
        return f"cannot be reached ({error.os_error.strerror or type(error.os_error).__name__})"
    return "did not answer in time" if isinstance(error, TimeoutError) else "stopped in the middle of its answer"


def error_of(status: int, headers: Mapping[str, str], content: bytes) -> P2PCommonsError:
    """The exception that a problem document stands for."""
    try:
        problem = load(content)
        code, detail = str(problem["code"]), str(problem["detail"])
    except (FormError, KeyError, TypeError):
        return NoAnswer("no-answer", f"What answers there is no p2pcommons node (status {status}).")
    if status == 410:
        return EntryWithdrawn(from_json(Withdrawal, problem), detail)
    if code == "entry-hidden":
        return EntryHidden(from_json(HiddenInfo, problem), detail)
    if status == 451:
        return EntryWithheld(from_json(WithheldInfo, problem))
    if status == 412:
        return EntryChanged(EntryAnswer(problem["entry"], etag_of(headers)), detail)
    kinds: dict[int, type[P2PCommonsError]] = {404: NotFound, 409: Conflict, 500: P2PCommonsError, 503: NoAnswer}
    return kinds.get(status, Refused)(code, detail)


def etag_of(headers: Mapping[str, str]) -> str:
    """The entity tag without its quotes."""
    return headers.get("ETag", "").strip('"')


def _private(path: Path) -> BinaryIO:
    return os.fdopen(new_file(path), "wb")


def _settle(file: BinaryIO, partial: Path, target: Path) -> int:
    size = file.tell()
    file.flush()
    os.fsync(file.fileno())
    file.close()
    os.replace(partial, target)
    return size
