"""The one thread in which a node's replica, sessions and writing connection live, and the few that only read.

The asyncio loop hands jobs over and awaits them; jobs of the engine run one after another, each to completion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from queue import PriorityQueue, SimpleQueue
from threading import Thread
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Closable(Protocol):
    """A reading connection."""

    def close(self) -> None:
        """Let it go."""
        ...


R = TypeVar("R", bound=Closable)


class Engine:
    """One thread. What its own people ask for goes before what peers bring; within each of the two, in order.

    A peer has one job waiting at most, so however many there are, people wait for the one under way.
    """

    def __init__(self) -> None:
        self._waiting: PriorityQueue[_Job] = PriorityQueue()
        self._numbers = count()
        self._thread: Thread | None = None
        self._closed = False
        self.jobs = 0
        """Jobs handed over and not answered yet: those that wait and the one under way."""

    async def run(self, job: Callable[[], T], *, for_peer: bool = False) -> T:
        """Run a job in the engine's thread. Once begun it runs to its end, even if the caller is cancelled."""
        if self._closed:
            raise RuntimeError("the engine is closed")
        if self._thread is None:
            self._thread = Thread(target=self._work, name="engine", daemon=True)
            self._thread.start()
        answer: Future[T] = Future()
        self._waiting.put(_Job(1 if for_peer else 0, next(self._numbers), answer, job))
        self.jobs += 1
        try:
            return await asyncio.wrap_future(answer)
        finally:
            self.jobs -= 1

    def close(self) -> None:
        """Wait for the job under way and let the thread go; what waits is cancelled."""
        self._closed = True
        self._waiting.put(_Job(-1, next(self._numbers), None, None))
        if self._thread is not None:
            self._thread.join()
        while not self._waiting.empty():
            left = self._waiting.get()
            if left.answer is not None:
                left.answer.cancel()

    def _work(self) -> None:
        while True:
            *_, answer, job = self._waiting.get()
            if answer is None or job is None:
                return
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(job())
            except BaseException as error:
                answer.set_exception(error)
            del answer, job  # an idle engine keeps nothing of its last job


class _Job(NamedTuple):
    lane: int  # the lowest first
    number: int
    answer: Future[Any] | None
    run: Callable[[], Any] | None


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
