"""One session over one link: frames in and out, deadlines, and what happened, told to the neighbour's row.

The session itself lives in the engine's thread; here are the three tasks that feed it: one receives, one sends, one
keeps time. The session bounds what is under way, so the queue between them is bounded too.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from p2pcommons import __version__
from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.core.limits import FRAME_BYTES_MAX, REFUSALS_MAX, WINDOW_BYTES
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import StoreError
from p2pcommons.network.link import Link, LinkLost
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Instant, PeerCommons
from p2pcommons.sync.events import (
    ClockDiffered,
    CommonsLeft,
    CommonsListed,
    CommonsMatched,
    Completed,
    Differed,
    Event,
    HandshakeDone,
    PeerRefused,
    ProgressMade,
    RecordsReceived,
    RecordsSent,
    SessionEnded,
)
from p2pcommons.sync.gossip import Growth
from p2pcommons.sync.holding import Change
from p2pcommons.sync.session import Session, State

logger = logging.getLogger(__name__)
_REASONS_TOLD_MAX = 5
_FRAMES_AT_ONCE: Final = 32  # small frames that came and wait to be taken together
_FRAME_BYTES_SMALL: Final = 16 * 1024  # what comes live is smaller; such frames wait in 0.5 MiB at worst
_FRAMES_WAITING_MAX = 256  # frames behind a slow reader
# And their bytes. Packs have their window; answers to ranges have none, and 256 of those would be 64 MiB. Two honest
# nodes never come near: each has one range under way, so both never stop hearing each other.
_BYTES_WAITING_MAX = 2 * WINDOW_BYTES
_CHANGE_PAUSE_S = 0.05  # many changes in a row are told once
# What this node wrote is told at once. What others brought is passed on at once too, but not again before so many
# times as long as telling took: on a busy machine many records go in one frame, with one check and one commit.
_RELAY_PAUSE: Final = 12
_RELAY_PAUSE_S_MAX: Final = 0.25
_STEPS_WAITING_MAX = 256  # steps of the sets not told yet; what is dropped is found by an opening
NO_ROOM = "this node's disk is nearly full: it takes nothing more now, and goes on when there is room"
NOTHING_SHARED = "no commons in common"
CANNOT_KEEP = "this node cannot keep what it is given now; the person who looks after it finds why in its log"

# What ends of sessions mean to who looks at the list of neighbours; others are violations, or reasons of the peer.
_ENDS: Final = {
    "own_key": "own-key",
    "wrong_key": "wrong-key",
    "no_shared_version": "other-version",
    "stopping": "stopping",
    "blocked": "blocked",
    "handshake_timeout": "timed-out",
    "idle": "link-lost",
}


class Why(NamedTuple):
    """A reason, for people and for programs."""

    why: str
    code: str


@dataclass(slots=True)
class Standing:
    """How one commons stands with this peer."""

    state: str = "comparing"
    why: str = ""
    code: str = ""
    received: int = 0
    sent: int = 0

    def become(self, state: str, why: str = "", code: str = "") -> None:
        """Stand so from now on."""
        self.state, self.why, self.code = state, why, code


@dataclass(slots=True)
class Meeting:
    """One link being served; driven by `hold`."""

    runtime: Runtime
    link: Link
    expected: bytes | None
    hosts: tuple[str, ...]
    eager: bool
    """Whether to have new records whole from this peer."""
    admit: Callable[[Meeting, PublicKey], Why | None]
    """Asked once the peer proved its key: None lets it in, a reason refuses it."""
    parting: bool = False
    """Whether to end it where no commons is in common: a neighbour met only to ask."""
    listed: Callable[[Meeting], None] = lambda meeting: None
    """Called when the peer told what it announces."""
    follows: int = 0
    """Which state of what this node follows it began with."""
    peer: PublicKey | None = None
    agent: str = ""
    connected_at: Instant | None = None
    clock_ms: int = 0
    ended: str = ""
    code: str = ""
    """Why it ended, for programs; one of `values.PEER_CODES`."""
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    """What our hello is made fresh with."""
    itself: bool = False
    """This node dialled itself."""
    own_key: bool = False
    """The other end says that it has this node's own key."""
    violation: bool = False
    paused: int = 0
    """Records that came and were answered `paused`."""
    unable: bool = False
    """This node could not keep what came: no use to meet again soon."""
    standings: dict[CommonsId, Standing] = field(default_factory=dict)
    listing: tuple[tuple[bytes, str], ...] | None = None
    """Announced commons and names, by the peer's word; None: not told yet."""
    matched: bool = False
    """Whether there was a commons in common at any time."""
    _session: Session | None = None
    _frames: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(_FRAMES_WAITING_MAX))
    _bytes_waiting: int = 0
    _drained: asyncio.Event = field(default_factory=asyncio.Event)
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)
    _urgent: asyncio.Event = field(default_factory=asyncio.Event)
    _speaking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _changed: bool = False
    _grown: deque[tuple[CommonsId, Growth]] = field(default_factory=lambda: deque(maxlen=_STEPS_WAITING_MAX))
    _browsed: bool = False
    _deadline: int | None = None

    async def hold(self) -> None:
        """Serve the link until the session ends or the link is lost."""
        runtime = self.runtime
        self._session = await runtime.run(
            lambda: Session(
                runtime.replica,
                role=self.link.role,
                key=runtime.keys.node,
                channel=self.link.channel,
                nonce=self.nonce,
                random=secrets.token_bytes,
                now_ms=runtime.now_ms(),
                expected=self.expected,
                hosts=self.hosts,
                eager=self.eager,
                agent=f"p2pcommons/{__version__}",
            )
        )
        tasks = [asyncio.create_task(work()) for work in (self._receive, self._send, self._keep_time)]
        try:
            await self._step(lambda session, now_ms: [])
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await self._excuse(done)
            if self._session.is_over:  # its last frame says why: let it go out
                await asyncio.wait({tasks[1]}, timeout=1)
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, LinkLost):
                    self._because(result.detail, "link-lost")
                elif isinstance(result, Exception) and not isinstance(result, StoreError):
                    logger.error("a session with %s failed", self.link.remote, exc_info=result)
                    self._because("an error on this node; see its log", "error")
            await self.link.close(reason=self.ended)

    async def _excuse(self, done: set[asyncio.Task[None]]) -> None:
        """Where our own store failed (a full disk), this session ends, and the peer is told that it is not its fault."""
        for task in done:
            error = task.exception() if not task.cancelled() else None
            if isinstance(error, StoreError):
                fields = {"peer": self._name(), "code": error.code}
                text = "a session with %s ended: %s"
                logger.error(text, self._name(), error.detail, extra={"event": "store_failed", "fields": fields})
                self.unable = True
                self._because(CANNOT_KEEP, "cannot-keep")  # to the peer no word of paths here
                await self.end("closing", CANNOT_KEEP)
                return

    def tell_change(self, changes: Sequence[Change] = ()) -> None:
        """This node's own sets, or what it follows, changed."""
        self._changed = True
        self._grown.extend((change.commons, change.growth) for change in changes)
        if not all(change.relayed for change in changes) or not changes:
            self._urgent.set()
        self._stirred.set()

    async def end(self, code: str, detail: str) -> None:
        """End the session from this side."""
        if self._session is not None:
            await self._step(lambda session, now_ms: session.close(code, detail))

    async def browse(self) -> None:
        """Ask the peer again what it announces."""
        if self._session is not None:
            await self._step(lambda session, now_ms: session.browse(now_ms))

    def commons(self) -> tuple[PeerCommons, ...]:
        """How each commons stands, for `status`."""
        return tuple(
            PeerCommons(commons, each.state, each.why, each.received, each.sent, each.code)
            for commons, each in self.standings.items()
        )

    # -- the three tasks

    async def _receive(self) -> None:
        """Hand over what came; on a busy machine several frames at a time, which saves a walk to the engine for each."""
        coming: asyncio.Queue[bytes | None] = asyncio.Queue(_FRAMES_AT_ONCE)
        reading = asyncio.create_task(self._read(coming))
        try:
            while True:
                frames = [await coming.get()]
                while not coming.empty():
                    frames.append(coming.get_nowait())
                for _ in frames:
                    coming.task_done()
                while self._bytes_waiting > _BYTES_WAITING_MAX:  # who asks and does not read is not heard any further
                    self._drained.clear()
                    await self._drained.wait()
                heard = [frame for frame in frames if frame is not None]
                await self._step(lambda session, now_ms, heard=heard: _receive_all(session, heard, now_ms))  # type: ignore[misc]
                if self._session is None or self._session.is_over:
                    return
                if None in frames:
                    await reading  # raises what ended the link
                    return
        finally:
            reading.cancel()

    async def _read(self, coming: asyncio.Queue[bytes | None]) -> None:
        try:
            while (frame := await self.link.receive()) is not None:
                await coming.put(frame)
                if len(frame) > _FRAME_BYTES_SMALL:
                    await coming.join()  # large ones one by one: memory is for what is being taken
        except Exception:
            await coming.put(None)
            raise
        await coming.put(None)

    async def _send(self) -> None:
        while (frame := await self._frames.get()) is not None:
            await self.link.send(frame)
            self._bytes_waiting -= len(frame)
            self._drained.set()

    async def _keep_time(self) -> None:
        clock = asyncio.get_running_loop().time
        rested_at = 0.0
        while True:
            session = self._session
            assert session is not None
            timeout_s = None if self._deadline is None else max(0.0, (self._deadline - self.runtime.now_ms()) / 1000)
            try:
                async with asyncio.timeout(timeout_s):  # not wait_for: before Python 3.12 it may lose a cancellation
                    await self._stirred.wait()
            except TimeoutError:
                await self._step(lambda session, now_ms: session.handle_timeout(now_ms))
                continue
            self._stirred.clear()
            if self._changed:
                if any(growth.ids is None for _, growth in self._grown):
                    await asyncio.sleep(_CHANGE_PAUSE_S)  # an import: many steps that are found by one opening
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(rested_at):
                        await self._urgent.wait()
                self._urgent.clear()
                self._changed = False
                grown = list(self._grown)
                self._grown.clear()
                began = clock()
                await self._step(lambda session, now_ms, grown=grown: session.local_change(now_ms, grown))  # type: ignore[misc]
                rested_at = clock() + min(_RELAY_PAUSE_S_MAX, _RELAY_PAUSE * (clock() - began))

    async def _step(self, step: Callable[[Session, int], Sequence[Event]]) -> None:
        """One input to the session, in the engine's thread, then all it has to say."""
        session = self._session
        assert session is not None
        runtime = self.runtime

        def say() -> list[bytes]:
            said: list[bytes] = []
            while sum(map(len, said)) < FRAME_BYTES_MAX and (frames := session.data_to_send()):
                said += frames
            self._deadline = session.next_deadline()
            return said

        def run() -> tuple[Sequence[Event], list[bytes]]:
            events = step(session, runtime.now_ms())
            if session.state is State.ESTABLISHED and not self._browsed:
                self._browsed = True
                events = [*events, *session.browse(runtime.now_ms())]
            return events, say()

        async with self._speaking:  # frames go out in the order in which the session made them
            events, frames = await runtime.run(run, for_peer=True)
            while frames:
                large = sum(map(len, frames)) >= FRAME_BYTES_MAX
                for frame in frames:
                    self._bytes_waiting += len(frame)
                    await self._frames.put(frame)
                frames = await runtime.run(say, for_peer=True) if large else []  # else it had said all
            if session.is_over:
                await self._frames.put(None)
        for event in events:
            await self._take(event)
        self._stirred.set()

    # -- what happened

    async def _take(self, event: Event) -> None:
        match event:
            case HandshakeDone():
                self.peer, self.agent, self.clock_ms = event.peer, _printable(event.agent), event.clock_ms
                self.connected_at = Instant(self.runtime.now_ms())
                refusal = self.admit(self, event.peer)
                if refusal is not None:
                    self._because(*refusal)
                    await self.end("refused", refusal.why)
            case ClockDiffered():
                logger.warning("the clock of %s differs from ours by %d s", self._name(), event.ahead_ms // 1000)
            case CommonsMatched():
                self.standings[event.commons] = Standing()
                self.matched = True
            case CommonsLeft():
                self.standings.pop(event.commons, None)
                await self._part()
            case CommonsListed():
                self.listing = event.commons
                self.listed(self)
                await self._part()
            case RecordsReceived():
                standing = self._standing(event.commons)
                standing.received += event.count
                if event.refused and self.runtime.replica.pauses:
                    await self._pause(standing, event.refused)
            case RecordsSent():
                self._standing(event.commons).sent += event.count
            case ProgressMade() if self.paused and self.runtime.replica.pauses:
                pass
            case ProgressMade():
                why = f"{event.have:,} of about {event.of:,} records"
                self._standing(event.commons).become("receiving", why, "receiving")
            case Completed():
                self._standing(event.commons).become("same", *_but_for(event))
            case Differed():
                why = "the exchange found no way to equal sets; tried again soon"
                self._standing(event.commons).become("differs", why, "differs")
            case PeerRefused():
                self.own_key = event.code == "own_key"
                told = f"the neighbour ended the session: {_printable(event.detail) or event.code}"
                self._because(told, _ENDS.get(event.code, "ended"))
            case SessionEnded():
                self.violation = event.violation
                self.own_key = self.own_key or event.code == "own_key"
                self._because(event.detail, _ENDS.get(event.code, "violation" if event.violation else "link-lost"))
                if event.violation:
                    fields = {"peer": self._name(), "code": event.code}
                    text = "session with %s ended: %s (%s)"
                    extra = {"event": "violation", "fields": fields}
                    logger.warning(text, self._name(), event.detail, event.code, extra=extra)

    async def _part(self) -> None:
        if self.parting and not self.standings:
            self._because(NOTHING_SHARED, "nothing-shared")
            await self.end("closing", NOTHING_SHARED)

    async def _pause(self, standing: Standing, refused: int) -> None:
        """Say why; where more is refused than a session remembers, it would be offered again and again: the session ends."""
        self.paused += refused
        standing.become("differs", f"{self.paused:,} records paused: {NO_ROOM}", "disk-low")
        if self.paused > REFUSALS_MAX and not self.unable:
            self.unable = True
            self._because(NO_ROOM, "disk-low")
            await self.end("closing", NO_ROOM)

    def _because(self, why: str, code: str) -> None:
        """It ends for this reason; the first one told is the reason."""
        if not self.ended:
            self.ended, self.code = why, code

    @property
    def peer_nonce(self) -> bytes:
        """What the other end's hello was made fresh with, proved or not."""
        return self._session.peer_nonce if self._session is not None else b""

    def _standing(self, commons: CommonsId) -> Standing:
        return self.standings.setdefault(commons, Standing())

    def _name(self) -> str:
        return self.link.remote if self.peer is None else did_key(self.peer)


def _receive_all(session: Session, frames: Sequence[bytes], now_ms: int) -> list[Event]:
    events: list[Event] = []
    for frame in frames:
        events += session.receive_data(frame, now_ms)
        if session.is_over:
            break
    return events


def _but_for(event: Completed) -> tuple[str, str]:
    """What an equal set leaves out, for people and for programs."""
    if not event.but_for:
        return "", ""
    told = sorted(event.reasons, key=lambda reason: -reason[1])[:_REASONS_TOLD_MAX]  # a peer may name any number
    reasons = ", ".join(f"{count} {code}" for code, count in told)
    code = {"paused": "disk-low", "later": "later"}.get(told[0][0] if told else "", "not-admitted")
    return f"complete but for {event.but_for} records: {reasons}", code


def _printable(text: str) -> str:
    """A stranger's words, without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
