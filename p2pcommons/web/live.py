"""Open pages that follow what happens: one watch for all of them, and each changed part made once.

A page that is open hears a pulse (`/live`, server-sent events) when something that pages show has changed, four times a
second at most, and then asks for its own live part again: the block `live` of its template. Pages of one address in one
language share what was made between two pulses, so that two hundred cost little more than one. Without scripts nobody
asks, and pages are as they were loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from p2pcommons.node.values import Status

PULSE_S: Final = 0.25  # between two pulses: faster than people read
LOOK_S: Final = 1.0  # how often neighbours and copies are looked at, while somebody looks at a page
KEPT_MAX: Final = 256  # parts kept between two pulses: 10 KB each

T = TypeVar("T")


class Watched(Protocol):
    """What the pulse asks of a node (`api.verbs.Verbs` has more)."""

    async def status(self) -> Status:
        """How the node stands."""
        ...

    async def wait_change(self, since: int, timeout_s: float) -> bool:
        """Return when there is a change after this one, or the time is over."""
        ...


class Pulse:
    """Says that something changed. It watches while somebody listens, and only then."""

    def __init__(self) -> None:
        self.number = 0
        """How many pulses there were."""
        self._beat = asyncio.Event()
        self._listeners = 0
        self._watch: asyncio.Task[None] | None = None

    async def beats(self, commons: Watched, quiet_s: float) -> AsyncGenerator[int | None, None]:
        """The number of each pulse from now on; None after so much silence."""
        self._listeners += 1
        heard = self.number
        try:
            while True:
                if self._watch is None or self._watch.done():  # it ends when the node could not answer it
                    self._watch = asyncio.create_task(self._look(commons))
                if self.number == heard:
                    beat = self._beat
                    with suppress(TimeoutError):
                        await asyncio.wait_for(beat.wait(), quiet_s)
                yield None if self.number == heard else self.number
                heard = self.number
        finally:
            self._listeners -= 1
            if not self._listeners and self._watch is not None:
                self._watch.cancel()
                await asyncio.wait({self._watch})
                self._watch = None

    async def _look(self, commons: Watched) -> None:
        seen = await commons.status()
        while True:
            await commons.wait_change(seen.latest_change, LOOK_S)
            now = await commons.status()
            if _shown(now) != _shown(seen):
                self.number += 1
                beat, self._beat = self._beat, asyncio.Event()
                beat.set()
                await asyncio.sleep(PULSE_S)
            seen = now


def _shown(status: Status) -> tuple[object, ...]:
    """What is compared: the last change, and how neighbours, copies and notices stand."""
    return status.latest_change, status.peers, status.commons, status.notices, status.nearby


class Part(NamedTuple, Generic[T]):
    """A part that was made, and whether it holds what belongs to one session."""

    value: T
    private: bool


class Parts(Generic[T]):
    """Parts made since the last pulse; one that is asked for while it is made is made once."""

    def __init__(self) -> None:
        self._number = -1
        self._made: dict[tuple[str, ...], asyncio.Future[Part[T]]] = {}

    async def get(self, number: int, key: tuple[str, ...], session: str, make: Callable[[], Awaitable[Part[T]]]) -> T:
        """The part of this key at this pulse: another session's where nothing in it belongs to one."""
        if number != self._number or len(self._made) >= KEPT_MAX:
            self._number = number
            self._made = {}
        made = self._made
        for known in (key, (*key, session)):
            if (found := made.get(known)) is not None:
                part = await asyncio.shield(found)
                if not part.private or known is not key:
                    return part.value
        making = asyncio.ensure_future(make())
        place = (*key, session) if key in made else key
        made[place] = making

        def forget(done: asyncio.Future[Part[T]]) -> None:
            if done.cancelled() or done.exception() is not None:  # tried again by who asks next
                made.pop(place, None)

        making.add_done_callback(forget)
        part = await asyncio.shield(making)  # whoever goes away meanwhile leaves it to the others
        if part.private and place is key:
            made[(*key, session)] = making
        return part.value
