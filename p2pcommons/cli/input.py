"""Reading what may keep a program waiting for ever: a pipe, a person, a far server.

The event loop goes on meanwhile, so that Ctrl-C and the end of a node are noticed, and the program ends without it.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import BinaryIO, TypeVar, cast

T = TypeVar("T")


async def beside(job: Callable[[], T]) -> T:
    """Like `asyncio.to_thread`, but nobody waits for the end of a job that was given up."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            outcome: Callable[[], None] = partial(result.set_result, job())
        except BaseException as error:
            outcome = partial(result.set_exception, error)
        try:
            loop.call_soon_threadsafe(lambda: None if result.done() else outcome())
        except RuntimeError:
            pass  # the loop has ended

    Thread(target=run, name="beside", daemon=True).start()
    return await result


class Source:
    """A stream that is read beside the event loop. Closed only where nobody reads: closing waits for who does."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._busy = False

    async def beside(self, job: Callable[[], T]) -> T:
        """Run a job that reads the stream."""
        self._busy = True
        try:
            result = await beside(job)
        except Exception:
            self._busy = False
            raise
        self._busy = False
        return result

    def close(self) -> None:
        """Let the stream go, unless a job that was given up still reads it."""
        if not self._busy:
            self._stream.close()


def standard_input() -> BinaryIO:
    """Standard input, as an object of its own: the interpreter ends badly where a thread still reads `sys.stdin`."""
    try:
        return cast(BinaryIO, io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False), 1 << 16))
    except (OSError, ValueError):  # no file: a test's
        return sys.stdin.buffer


async def ask(prompt: str) -> str:
    """The next line of standard input; a person at a terminal is told what is asked."""
    if sys.stdin.isatty():
        sys.stderr.write(prompt)
        sys.stderr.flush()
    return (await beside(standard_input().readline)).decode(errors="replace")
