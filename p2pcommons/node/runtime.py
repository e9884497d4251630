"""What the verbs of a node stand on: folder, keys, store, replica, the engine's thread, and the news of changes.

Opened on a folder under its lock; whoever opened it closes it. Knows no HTTP and no peer: those who want to hear
of changes say so with `listen`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final, TypeVar

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.clock import from_ms, to_ms
from p2pcommons.core.identity import did_key
from p2pcommons.core.limits import AHEAD_MS_MAX, TIME_MAX
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.errors import NotFound, Refused, StoreError
from p2pcommons.node.disk import Disk
from p2pcommons.node.engine import Engine, ReaderPool
from p2pcommons.node.folder import DataFolder, Keys
from p2pcommons.node.watch import Watch
from p2pcommons.store.reading import SqliteReader
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync.choice import Method, Reason
from p2pcommons.sync.holding import SYNCED_PLANES, Change, Digest
from p2pcommons.sync.replica import Replica

logger = logging.getLogger(__name__)
T = TypeVar("T")
NodeReplica = Replica[Charter]
_DISOWNED: Final = "clock/disowned"  # between which times a wrong clock signed, as this person says
FORKED = "another device or a restored copy writes with your key: both stay valid"
_RECENT_MAX: Final = 64  # changes of one commit that are at hand for who waits; of more they are read
_READERS = 2  # searches at once; more would only wait for the same two cores


class Runtime:
    """One node's insides, within `async with`."""

    keys: Keys
    store: SqliteStore
    replica: NodeReplica
    readers: ReaderPool[SqliteReader]

    def __init__(self, folder: DataFolder, *, keep_free: int | None = None, trust_clock: bool = False) -> None:
        self.folder = folder
        self.disk = Disk(folder.path, keep_free)
        self.watch = Watch(trusted=trust_clock)
        self.meaning = CommonsMeaning()
        self._stopping = threading.Event()
        self.engine = Engine(self._together, self._grow)
        self.started_ms = 0
        self.forked: dict[CommonsId, int] = {}
        """Commons in which somebody else writes with this person's key, and when that was seen."""
        self.comparisons: Counter[tuple[Method, Reason]] = Counter()
        """How differences from other nodes were looked for."""
        self._digests: dict[CommonsId, Digest] = {}  # of what is committed
        self.latest = 0
        """The last position in the log of changes that readers see."""
        self.recent: tuple[int, Sequence[tuple[int, CommonsId, Subject]]] | None = None
        """What came last, behind which position: for those who wait for it, who need no reader then."""
        self._waiting_for_change = 0
        self.tellers: list[Callable[[list[Change]], None]] = []
        """Called in the engine's thread with what changed and is durable."""
        self._grown: list[Change] = []
        self._listeners: list[Callable[[list[Change]], None]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Runtime:
        self.started_ms = self.now_ms()
        self.folder.lock()
        try:
            self.keys = self.folder.keys()
            await self.engine.run(self._open)
            self.readers = ReaderPool(self.store.reader, _READERS)
        except BaseException:
            self.engine.close()
            self.folder.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.readers.close()
            await self.engine.run(self.store.close)
        finally:
            self.engine.close()
            self.folder.release()

    def _open(self) -> None:
        self.folder.make_database()
        self.store = SqliteStore(self.folder.database)
        self.replica = Replica(self.store, self.meaning, secrets.token_bytes)
        self.latest = self.store.last_change()
        me = self.keys.person.public
        self.replica.watch(me)
        for commons in self.replica.followed():
            if (noted := self.store.value(_forked_name(commons))) is not None:
                self.forked[commons] = int(noted)
        for commons in self.replica.followed():
            for plane in SYNCED_PLANES:
                self._note_own(commons, plane)

    def _note_own(self, commons: CommonsId, plane: int) -> None:
        """Let the watch know when this person signed last, but for what they said was signed by a wrong clock."""
        me = self.keys.person.public
        last = self.store.last_of(commons, plane, me, TIME_MAX)
        said = self.store.value(_DISOWNED)
        if last is not None and said is not None:
            since_ms, until_ms = map(int, said.split())
            if since_ms < to_ms(last.time) <= until_ms:
                last = self.store.last_of(commons, plane, me, from_ms(since_ms))
        if last is not None:
            self.watch.note_own(to_ms(last.time))

    async def trust_clock(self) -> None:
        """A person says that the clock is right as it is now; kept, as far as it is about what they signed before."""

        def trust() -> None:
            now_ms, last_ms = self.now_ms(), self.watch.trust()
            if last_ms is not None:
                with self.store.transaction():
                    self.store.put_value(_DISOWNED, f"{now_ms + AHEAD_MS_MAX} {last_ms}".encode())
            logger.info("a person says that this clock is right", extra={"event": "clock_trusted"})

        await self.run(trust)

    def now_ms(self) -> int:
        """Unix milliseconds by the clock of this machine."""
        return self.watch.now_ms()

    async def run(self, job: Callable[[], T], *, joins: bool = False) -> T:
        """Run a job in the engine's thread; what it changed is told to those who listen.

        `joins`: it may be committed together with others; then it writes by transactions alone, and searches nothing.
        """
        return await self.engine.run(job if joins else lambda: self._told(job), joins=joins)

    async def run_for_peer(self, job: Callable[[], T], *, patient: bool = False, late: bool = False) -> T:
        """Run a job in the engine's thread after all that people ask for, committed together with others.

        `patient`: on a busy machine it waits a moment for more of its kind. `late`: while there is other work it has a
        small share of the time.
        """
        return await self.engine.run(lambda: self._relaying(job), for_peer=True, patient=patient, late=late)

    async def read(self, job: Callable[[SqliteReader], T]) -> T:
        """Run a reading job on a connection of its own; it sees all that was answered before."""
        return await self.readers.run(job)

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Around jobs that are committed together; what they changed is told once it is durable."""
        gc.disable()  # thousands of values that live as long as the job: a search for rings among them costs 5 %
        try:
            with self.store.together():
                yield
        except BaseException:
            self.replica.restore()
            raise
        finally:
            gc.enable()
        self._publish()

    def _told(self, job: Callable[[], T]) -> T:
        gc.disable()
        try:
            return job()
        finally:
            gc.enable()
            self._publish()

    def _relaying(self, job: Callable[[], T]) -> T:
        changes = self.replica.changes
        before = len(changes)
        try:
            return job()
        finally:
            changes[before:] = [change._replace(relayed=True) for change in changes[before:]]

    def digest(self, commons: CommonsId) -> Digest:
        """One commons at a moment that readers see. LocalProtocolError `unknown_commons`; from any thread."""
        found = self._digests.get(commons)
        return self.replica.digest(commons) if found is None else found

    def _publish(self) -> None:
        """What was committed may be seen and told."""
        replica = self.replica
        if replica.forks:
            self._note_forks()
        followed = replica.followed()
        if replica.changes or self._digests.keys() != set(followed):
            if self._digests.keys() != set(followed):
                self.recent = None  # a commons that is followed no more has left the log
            self._digests = {commons: replica.digest(commons) for commons in followed}
        if replica.changes:
            changes = list(replica.changes)
            replica.changes.clear()
            latest = self.store.last_change()
            few = self._waiting_for_change and latest - self.latest <= _RECENT_MAX
            self.recent = (self.latest, self.store.changes(self.latest, _RECENT_MAX)) if few else None
            self.latest = latest  # behind `recent`: who sees it finds there what came
            self.engine.say(self._tell, changes)
            self._grown += changes

    def _grow(self) -> None:
        """Tell those who listen in the engine's thread, once all that was asked is answered."""
        changes, self._grown = self._grown, []
        if changes:
            for teller in list(self.tellers):
                teller(changes)

    def _note_forks(self) -> None:
        """Another device or a restored copy writes with this person's key: remembered, and said once."""
        found, self.replica.forks[:] = list(self.replica.forks), []
        for fork in found:
            commons = CommonsId(fork.commons)
            if commons in self.forked:
                continue
            self.forked[commons] = self.now_ms()
            logger.warning(
                FORKED, extra={"event": "forked_chain", "fields": {"person": did_key(self.keys.person.public)}}
            )
            try:
                with self.store.transaction():
                    self.store.put_value(_forked_name(commons), str(self.now_ms()).encode())
            except StoreError as error:  # a full disk: it is known until the next start
                logger.error("a forked chain could not be noted: %s", error.detail)

    def _tell(self, changes: list[Change]) -> None:
        self._news.set()
        self._news = asyncio.Event()
        for listener in self._listeners:
            listener(changes)

    def stop_long_jobs(self) -> None:
        """The node stops: what takes long and can be done again gives up at its next step."""
        self._stopping.set()

    def check_going_on(self, *_: object) -> None:
        """Asked by long jobs at each step. Refused `stopping`."""
        if self._stopping.is_set():
            raise Refused("stopping", "This node is stopping: nothing was lost. Do it again when it runs.")

    def listen(self, listener: Callable[[list[Change]], None]) -> None:
        """Hear of each change, in the event loop's thread."""
        self._listeners.append(listener)

    async def wait_until(self, holds: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
        """Wait until something holds, looked at after each change; at most so long (False)."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    news = self._news
                    if await holds():
                        return True
                    await news.wait()
        except TimeoutError:
            return False

    async def wait_change(self, since: int, timeout_s: float) -> bool:
        """Wait until readers see a change behind a position of the log; at most so long (False)."""

        async def is_behind() -> bool:
            return self.latest > since

        self._waiting_for_change += 1
        try:
            return await self.wait_until(is_behind, timeout_s)
        finally:
            self._waiting_for_change -= 1

    def check_followed(self, commons: CommonsId) -> None:
        """NotFound `unknown-commons` unless this node follows it."""
        if commons not in self.replica.followed():
            raise NotFound(
                "unknown-commons",
                "This node does not follow that commons. `p2pcommons commons list` shows those it follows.",
            )


def _forked_name(commons: CommonsId) -> str:
    return f"forked/{commons.hex()}"
