"""The one thread in which a node's replica, sessions and writing connection live, and the few that only read.

The asyncio loop hands jobs over and awaits them; jobs of the engine run one after another, each to completion. Jobs
that wait when the engine gets to them run as one group: one commit for all that they write, one word to the loop for
all their answers. Nothing waits for a group to grow: who comes alone is answered alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from queue import SimpleQueue
from threading import Condition, Thread
from time import monotonic
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
GROUP_S_MAX: Final = 0.02  # a group that ran so long takes no further job: who waits for an answer gets it then
# What may wait does, after a group of several that took long, for so many times as long: on a busy machine, or over a
# slow disk, more is done with one commit and told in one frame. Who comes alone, or to a machine at rest, never waits.
_REST: Final = 10
_REST_S_MAX: Final = 0.25
_SHORT_S: Final = 0.002
# What peers ask who only cost has a 25th of the time while there is other work, and all of it while there is none: to read
# such frames takes the loop twice as long again.
_LATE_REST: Final = 24
_QUIET_S: Final = 0.25  # no other work for so long: longer than two nodes in exchange keep each other waiting


class Closable(Protocol):
    """A reading connection."""

    def close(self) -> None:
        """Let it go."""
        ...


R = TypeVar("R", bound=Closable)


class Engine:
    """One thread. What its own people ask for goes before what peers bring, and that before what is late, which has its
    share of the time only; within each of the three, in order.

    A peer has one job waiting at most, and a person's job goes next into a group and ends it: however many peers there
    are, people wait for the job under way, their own, and a commit.

    `together`: entered in the engine's thread around the jobs of a group. What a job raises is its own answer and
    leaves the group standing; what `together` raises at its end is the answer to all jobs of the group. `after`: called
    there when what was done is durable, before its answers are heard: neighbours know it as soon as who asked.
    """

    def __init__(
        self,
        together: Callable[[], AbstractContextManager[None]] = nullcontext,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._together = together
        self._after = after
        self._own: deque[_Job] = deque()
        self._peers: deque[_Job] = deque()
        self._patient: deque[_Job] = deque()
        self._late: deque[_Job] = deque()
        self._rests_until = 0.0  # till then the patient wait
        self._late_from = 0.0  # till then the late wait, where there was other work since
        self._worked_at = 0.0  # when the last job was taken that was not late
        self._loop: asyncio.AbstractEventLoop | None = None
        self._words: list[_Word] = []  # for the loop, with the next answer: to wake it costs more than most of them
        self._waiting = Condition()
        self._thread: Thread | None = None
        self._closed = False
        self.jobs = 0
        """Jobs handed over and not answered yet: those that wait and the one under way."""

    async def run(
        self,
        job: Callable[[], T],
        *,
        for_peer: bool = False,
        joins: bool = False,
        patient: bool = False,
        late: bool = False,
    ) -> T:
        """Run a job in the engine's thread. Once begun it runs to its end, even if the caller is cancelled.

        `for_peer`: what people ask for goes first. `joins`: it may be part of a group; what peers bring always is.
        `patient`: what a peer brings and may wait a moment for more of its kind. `late`: of a peer that only costs.
        """
        if self._closed:
            raise RuntimeError("the engine is closed")
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._thread = Thread(target=self._work, name="engine", daemon=True)
            self._thread.start()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._waiting:
            lane = self._late if late else self._patient if patient else self._peers if for_peer else self._own
            lane.append(_Job(answer, job, for_peer, for_peer or joins, patient, late))
            self._waiting.notify()
        self.jobs += 1
        try:
            return await answer
        finally:
            self.jobs -= 1

    def say(self, word: Callable[..., None], *arguments: Any) -> None:
        """In the engine's thread: have the loop call this before it hears of the answers, or of what `after` says."""
        self._words.append(_Word(word, arguments))

    def close(self) -> None:
        """Wait for the jobs under way and let the thread go; what waits is cancelled."""
        with self._waiting:
            self._closed = True
            left = [job for lane in self._lanes for job in lane]
            for lane in self._lanes:
                lane.clear()
            self._waiting.notify()
        if self._thread is not None:
            self._thread.join()
        for job in left:
            job.answer.cancel()

    @property
    def _lanes(self) -> tuple[deque[_Job], ...]:
        return self._own, self._peers, self._patient, self._late

    def _work(self) -> None:
        while True:
            with self._waiting:
                job = self._next()
                while job is None:
                    if self._closed:
                        return
                    self._waiting.wait(self._pause())
                    job = self._next()
            began = monotonic()
            done = self._run_group(job) if job.joins else [_done(job)]
            if job.late:
                ended = monotonic()
                self._late_from = ended + _LATE_REST * (ended - began)
            self._after()
            self.say(_tell, done)  # behind what goes to others: who asked has a shorter way
            self._wake()
            del done
            del job  # an idle engine keeps nothing of its last job

    def _pause(self) -> float | None:
        """How long nothing is to be done that waits; None: until somebody comes."""
        ends = [self._rests_until] if self._patient else []
        if self._late:
            ends.append(min(self._late_from, self._worked_at + _QUIET_S))
        return max(min(ends) - monotonic(), 0.0) if ends else None

    def _run_group(self, first: _Job) -> list[_Done]:
        done: list[_Done] = []
        began = monotonic()
        peers, patient = True, 0
        job: _Job | None = first
        try:
            with self._together():
                while job is not None:
                    done.append(_done(job))
                    peers, patient = peers and job.for_peer, patient + job.patient
                    with self._waiting:
                        hurry = monotonic() - began > GROUP_S_MAX
                        job = None if hurry else self._next(joining=True, peers=peers)
        except BaseException as error:  # what was written in it is not kept
            return [_Done(each.answer, None, error) for each in done]
        finally:
            if patient and patient + len(self._patient) > 1:
                ended = monotonic()
                self._rests_until = ended + min(_REST * max(ended - began - _SHORT_S, 0.0), _REST_S_MAX)
        return done

    def _next(self, *, joining: bool = False, peers: bool = True) -> _Job | None:
        """Take the next job that somebody still waits for; with `joining`, only if it may be part of a group."""
        for lane in self._lanes:
            while lane and lane[0].answer.cancelled():
                lane.popleft()
        if self._own:
            return None if joining and not self._own[0].joins else self._taken(self._own)
        if self._peers and peers:
            return self._taken(self._peers)
        now = monotonic()
        if self._patient and peers and now >= self._rests_until:
            return self._taken(self._patient)
        if self._late and not joining and now >= min(self._late_from, self._worked_at + _QUIET_S):
            return self._late.popleft()
        return None

    def _taken(self, lane: deque[_Job]) -> _Job:
        self._worked_at = monotonic()
        return lane.popleft()

    def _wake(self) -> None:
        words, self._words = self._words, []
        if words and self._loop is not None:
            with suppress(RuntimeError):  # the loop ended without waiting for its answers
                self._loop.call_soon_threadsafe(_hear, self._loop, words)


class _Job(NamedTuple):
    answer: asyncio.Future[Any]
    run: Callable[[], Any]
    for_peer: bool
    joins: bool
    patient: bool
    late: bool


class _Word(NamedTuple):
    call: Callable[..., None]
    arguments: tuple[Any, ...]


class _Done(NamedTuple):
    answer: asyncio.Future[Any]
    value: Any
    error: BaseException | None


def _done(job: _Job) -> _Done:
    try:
        return _Done(job.answer, job.run(), None)
    except BaseException as error:
        return _Done(job.answer, None, error)


def _hear(loop: asyncio.AbstractEventLoop, words: list[_Word]) -> None:
    """In the loop's thread: one word after the other; what one of them raises keeps no other from being heard."""
    for word, arguments in words:
        try:
            word(*arguments)
        except Exception as error:
            loop.call_exception_handler({"message": f"what the engine said failed: {word!r}", "exception": error})


def _tell(done: list[_Done]) -> None:
    """In the loop's thread: wake all who wait for these."""
    for answer, value, error in done:
        if answer.done():
            continue  # it is waited for no more
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)


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
