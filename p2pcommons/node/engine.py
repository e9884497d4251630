"""The one thread in which a node's replica, sessions and writing connection live, and the few that only read.

The asyncio loop hands jobs over and awaits them; jobs of the engine run one after another, each to completion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Closable(Protocol):
    """A reading connection."""

    def close(self) -> None:
        """Let it go."""
        ...


R = TypeVar("R", bound=Closable)


class Engine:
    """One thread; what is submitted runs in order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self.jobs = 0
        """Jobs handed over and not answered yet: those that wait and the one under way."""

    async def run(self, job: Callable[[], T]) -> T:
        """Run a job in the engine's thread. Once begun it runs to its end, even if the caller is cancelled."""
        self.jobs += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, job)
        finally:
            self.jobs -= 1

    def close(self) -> None:
        """Wait for the job under way and let the thread go."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class ReaderPool(Generic[R]):
    """Reading connections, each used by one thread at a time."""

    def __init__(self, make: Callable[[], R], size: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix="reader")
        self._free: SimpleQueue[R] = SimpleQueue()
        self._all = [make() for _ in range(size)]
        for reader in self._all:
            self._free.put(reader)

    async def run(self, job: Callable[[R], T]) -> T:
        """Run a reading job on a free connection."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._with_reader, job)

    def _with_reader(self, job: Callable[[R], T]) -> T:
        reader = self._free.get()
        try:
            return job(reader)
        finally:
            self._free.put(reader)

    def close(self) -> None:
        """Wait for reads under way and close the connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for reader in self._all:
            reader.close()
