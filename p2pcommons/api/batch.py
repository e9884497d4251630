"""Many entries in one request: NDJSON in and out, whatever order a client reads and writes in.

A client may send everything before it reads anything. If answers were written straight to the socket, its
buffers would fill, the server would stop reading, and both would wait for ever: so answers are spooled, a little
in memory and the rest in a temporary file, and reading never waits for writing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, Final, Protocol

from aiohttp import ClientError, web

from p2pcommons.api.problems import http_code
from p2pcommons.api.wire import dump, load, parse_hex32
from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX
from p2pcommons.core.record import Subject
from p2pcommons.errors import FormError, P2PCommonsError
from p2pcommons.node.values import BatchAnswer

_log = logging.getLogger(__name__)

NDJSON: Final = "application/x-ndjson"
MEDIA_TYPES: Final = (NDJSON, "application/ndjson", "application/jsonl")

SPOOL_MEMORY_BYTES_MAX: Final = 1024 * 1024  # about 10,000 answers; what is beyond lies in a temporary file
_READ_BYTES: Final = 64 * 1024


class Spool:
    """A queue of bytes for one writer and one reader, with a bound on memory and none on length."""

    def __init__(self, folder: Path | None, memory_bytes_max: int = SPOOL_MEMORY_BYTES_MAX) -> None:
        name = None if folder is None else str(folder)
        self._file = SpooledTemporaryFile(max_size=memory_bytes_max, dir=name)  # noqa: SIM115 - closed by `with Spool`
        self._read_at = 0
        self._write_at = 0
        self._ended = False
        self._news = asyncio.Event()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def put(self, data: bytes) -> None:
        """Append; never waits for the reader."""
        self._file.seek(self._write_at)
        self._file.write(data)
        self._write_at += len(data)
        self._news.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._news.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What was put, in order, until the end."""
        while True:
            if self._read_at < self._write_at:
                self._file.seek(self._read_at)
                data = self._file.read(_READ_BYTES)
                self._read_at += len(data)
                if self._read_at == self._write_at:  # all read: the place is free again
                    self._file.seek(0)
                    self._file.truncate(0)
                    self._read_at = self._write_at = 0
                yield data
            elif self._ended:
                return
            else:
                self._news.clear()
                await self._news.wait()


class Content(Protocol):
    """A request's body as it comes."""

    def iter_any(self) -> AsyncIterator[bytes]:
        """Chunks of any size."""
        ...


async def lines_of(content: Content) -> AsyncIterator[Sequence[bytes]]:
    """The lines that came together, without their newline; one too long comes cut at a byte more than allowed.

    Where the connection breaks, the line under way is not a line: only what ended by a newline is given.
    """
    held = b""
    keep = BATCH_LINE_BYTES_MAX + 1
    try:
        async for chunk in content.iter_any():
            first, *rest = chunk.split(b"\n")
            held = (held + first)[:keep] if len(held) < keep else held
            if rest:
                *whole, last = rest
                yield [held, *(line[:keep] for line in whole)]
                held = last[:keep]
    except (ConnectionError, ClientError, web.RequestPayloadError):
        return
    if held:
        yield [held]


def render(answers: Iterable[BatchAnswer]) -> bytes:
    """The answers' lines."""
    return b"".join(map(_line, answers))


def _line(answer: BatchAnswer) -> bytes:
    if answer.code is not None:
        error = {"code": http_code(answer.code), "detail": answer.detail}
        return dump({"line": answer.line, "error": error}) + b"\n"
    name = "" if answer.id is None else answer.id.hex()
    unchanged = ',"unchanged":true' if answer.unchanged else ""
    return f'{{"line":{answer.line},"id":"{name}"{unchanged}}}\n'.encode()


class BatchStopped(P2PCommonsError):
    """The node could not go on with a batch: neither this line nor those behind it were taken."""


def parse(line: bytes) -> BatchAnswer:
    """The answer in one line. FormError; BatchStopped where the node says that it is the last."""
    value: Any = load(line)
    match value:
        case {"stopped": True, "error": {"code": str(code), "detail": str(detail)}}:
            raise BatchStopped(code, detail)
        case {"line": int(number), "error": {"code": str(code), "detail": str(detail)}}:
            return BatchAnswer(number, None, False, code, detail)
        case {"line": int(number), "id": str(name)}:
            return BatchAnswer(number, Subject(parse_hex32(name)), value.get("unchanged") is True)
    raise FormError("bad_answer", f"{line!r:.80} is no answer to a line of a batch")


async def relay(answers: AsyncIterator[Sequence[BatchAnswer]], response: web.StreamResponse, spool: Spool) -> None:
    """Spool answers as they come and write them out as the client takes them. ConnectionError when it has gone."""
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_collect(answers, spool))
            both.create_task(_deliver(spool, response))
    except* ConnectionError:
        raise ConnectionResetError("the client of a batch has gone") from None


async def _collect(answers: AsyncIterator[Sequence[BatchAnswer]], spool: Spool) -> None:
    answered = 0
    try:
        async for group in answers:
            if group:
                answered = group[-1].line
                spool.put(render(group))
    except P2PCommonsError as error:
        _log.error("a batch stopped behind line %d: %s", answered, error)
        spool.put(_stopped(answered + 1, error.code, error.detail))
    except Exception:  # the edge of this task: 200 is sent already, so the stream says it
        _log.exception("a batch stopped behind line %d", answered)
        detail = "something went wrong in this node: neither this line nor those behind it were taken"
        spool.put(_stopped(answered + 1, "internal", detail))
    spool.end()


def _stopped(line: int, code: str, detail: str) -> bytes:
    return dump({"line": line, "error": {"code": http_code(code), "detail": detail}, "stopped": True}) + b"\n"


async def _deliver(spool: Spool, response: web.StreamResponse) -> None:
    async for chunk in spool.chunks():
        await response.write(chunk)
    await response.write_eof()
