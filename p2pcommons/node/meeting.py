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
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Final, NamedTuple

from p2pcommons import __version__
from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.core.limits import FRAME_BYTES_MAX, REFUSALS_MAX, WINDOW_BYTES
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import StoreError
from p2pcommons.network.link import Link, LinkLost
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.standing import Standing, but_for
from p2pcommons.node.values import Instant, PeerCommons
from p2pcommons.node.worth import Worth
from p2pcommons.sync.compression import compressed, opened
from p2pcommons.sync.events import (
    ClockDiffered,
    CommonsLeft,
    CommonsListed,
    CommonsMatched,
    Compared,
    Completed,
    Differed,
    Event,
    HandshakeDone,
    OwedChanged,
    PeerRefused,
    PeerSpoke,
    ProgressMade,
    RecordsReceived,
    RecordsSent,
    SessionEnded,
)
from p2pcommons.sync.gossip import Growth
from p2pcommons.sync.holding import Change
from p2pcommons.sync.message import Confirm, Packs, encode_message
from p2pcommons.sync.peer_record import Heard
from p2pcommons.sync.peering import FEATURE as PEERS
from p2pcommons.sync.peering import PeerMessage
from p2pcommons.sync.session import FEATURES, Session, State

logger = logging.getLogger(__name__)
_FRAMES_AT_ONCE: Final = 32  # small frames that came and wait to be taken together
_FRAME_BYTES_SMALL: Final = 16 * 1024  # what comes live is smaller; such frames wait in 0.5 MiB at worst
_FRAMES_WAITING_MAX = 256  # frames behind a slow reader
# And their bytes. Packs have their window; answers to ranges have none, and 256 of those would be 64 MiB. Two honest
# nodes never come near: each has one range under way, so both never stop hearing each other.
_BYTES_WAITING_MAX = 2 * WINDOW_BYTES
_CHANGE_PAUSE_S = 0.05  # many changes in a row are told once
# The byte that names the type of a frame, of those that may wait a moment for more of their kind.
_PATIENT: Final = (encode_message(Packs(0, 0, 0, None, []))[1:2], encode_message(Confirm(0, 0, ()))[1:2])
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
    "nothing_shared": "nothing-shared",
}


class Why(NamedTuple):
    """A reason, for people and for programs."""

    why: str
    code: str


@dataclass(slots=True)
class Meeting:
    """One link being served; driven by `hold`."""

    runtime: Runtime
    link: Link
    expected: bytes | None
    hosts: tuple[str, ...]
    admit: Callable[[Meeting, PublicKey], Why | None]
    """Asked once the peer proved its key: None lets it in, a reason refuses it."""
    parting: bool = False
    """Whether to end it where no commons is in common: a neighbour met only to ask."""
    listed: Callable[[Meeting], None] = lambda meeting: None
    """Called when the peer told what it announces."""
    joined: Callable[[Meeting], None] = lambda meeting: None
    """Called when a commons was found to be in common."""
    spoke: Callable[[Meeting, Heard], None] | None = None
    """Called when the peer said something about peers; None: this node takes no part in that (chapter 35)."""
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
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when all is said and the link is closed."""
    _session: Session | None = None
    _worth: Worth = field(default_factory=lambda: Worth(monotonic()))
    _came: deque[bytes] = field(default_factory=deque)
    """Frames not given to the session yet."""
    _coming: asyncio.Event = field(default_factory=asyncio.Event)
    _taken: asyncio.Event = field(default_factory=asyncio.Event)
    _frames: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    """Frames to send: bounded, since the session is given nothing while too much waits here."""
    _bytes_waiting: int = 0
    _drained: asyncio.Event = field(default_factory=asyncio.Event)
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: bool = False
    _happened: deque[Event] = field(default_factory=deque)
    _taking: bool = False
    _failed: Exception | None = None
    _grown: deque[tuple[CommonsId, Growth]] = field(default_factory=lambda: deque(maxlen=_STEPS_WAITING_MAX))
    _browsed: bool = False
    _deadline: int | None = None
    _timer: int | None = None
    """The deadline that is waited for; one that moved away since is found when it comes."""

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
                agent=f"p2pcommons/{__version__}",
                features=tuple(name for name in FEATURES if name != PEERS or self.spoke is not None),
            )
        )
        tasks = [asyncio.create_task(work()) for work in (self._receive, self._send, self._keep_time)]
        runtime.tellers.append(self._grow)
        try:
            await self._step(lambda session, now_ms: [])
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await self._excuse(done)
            if not self._session.is_over and tasks[0] not in done:  # what came before the link broke may say why
                await asyncio.wait({tasks[0]}, timeout=1)
            if self._session.is_over:  # its last frame says why: let it go out
                await asyncio.wait({tasks[1]}, timeout=1)
        finally:
            runtime.tellers.remove(self._grow)
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, LinkLost):
                    self._because(result.detail, "link-lost")
                elif isinstance(result, Exception) and not isinstance(result, StoreError):
                    logger.error("a session with %s failed", self.link.remote, exc_info=result)
                    self._because("an error on this node; see its log", "error")
            await self.link.close(reason=self.ended)
            self.over.set()

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
        """What this node follows changed, or its own sets did: those the engine tells to the peer by itself."""
        for change in changes:
            if change.records and not change.relayed and (standing := self.standings.get(change.commons)) is not None:
                standing.written = change.growth.number
        if not changes:
            self._stir()

    def _grow(self, changes: Sequence[Change]) -> None:
        """In the engine's thread: sets changed. The peer is told now, or later where it does not read, or of much."""
        session, say = self._session, self.runtime.engine.say
        assert session is not None
        if session.state is not State.ESTABLISHED:
            return  # its first opening will tell
        self._grown.extend((change.commons, change.growth) for change in changes)
        if self._is_full or any(growth.ids is None for _, growth in self._grown):
            say(self._stir)
            return
        try:
            events = self._tell_grown(session, self.runtime.now_ms())
            frames = self._say_all(session)
        except Exception as error:
            self._failed = error  # it ends this session alone
            say(self._stir)
            return
        say(self._said, events, frames)
        if _is_large(frames):
            say(self._stir)  # there may be more to say

    def _tell_grown(self, session: Session, now_ms: int) -> Sequence[Event]:
        grown = list(self._grown)
        self._grown.clear()
        return session.local_change(now_ms, grown)

    def _stir(self) -> None:
        self._changed = True
        self._stirred.set()

    async def end(self, code: str, detail: str) -> None:
        """End the session from this side."""
        if self._session is not None:
            await self._step(lambda session, now_ms: session.close(code, detail))

    async def browse(self) -> None:
        """Ask the peer again what it announces."""
        if self._session is not None:
            await self._step(lambda session, now_ms: session.browse(now_ms))

    @property
    def speaks_of_peers(self) -> bool:
        """Whether both exchange peer records."""
        return self._session is not None and self._session.speaks_of_peers

    async def speak(self, message: PeerMessage) -> None:
        """Say something about peers, if it may be said now."""
        if self._session is not None:
            await self._step(lambda session, now_ms: session.speak(message))

    def commons(self) -> tuple[PeerCommons, ...]:
        """How each commons stands, for `status`."""
        here = self.runtime.replica.charters()
        found = [(commons, each, *each.shown(commons in here)) for commons, each in self.standings.items()]
        return tuple(
            PeerCommons(commons, state, why, each.received, each.sent, code, each.have, each.of)
            for commons, each, state, why, code in found
        )

    # -- the three tasks

    async def _receive(self) -> None:
        """Hand over what came; small frames together, which saves a walk to the engine for each."""
        reading = asyncio.create_task(self._read())
        try:
            while True:
                await self._coming.wait()
                self._coming.clear()
                while self._came:
                    await self._until_room()
                    if all(len(frame) <= _FRAME_BYTES_SMALL and frame[1:2] in _PATIENT for frame in self._came):
                        await self._step(
                            lambda session, now_ms: _receive_all(session, self._came, now_ms), patient=True
                        )
                        self._taken.set()
                    else:
                        heard = deque(self._came)
                        self._came.clear()
                        self._taken.set()
                        await self._step(lambda session, now_ms, heard=heard: _receive_all(session, heard, now_ms))  # type: ignore[misc]
                    if self._session is None or self._session.is_over:
                        return
                if reading.done():
                    await reading  # raises what ended the link
                    return
        finally:
            reading.cancel()

    async def _read(self) -> None:
        try:
            while (frame := await self.link.receive()) is not None:
                self._came.append(frame)
                self._coming.set()
                while len(self._came) >= _FRAMES_AT_ONCE or (self._came and len(frame) > _FRAME_BYTES_SMALL):
                    self._taken.clear()  # large ones one by one: memory is for what is being taken
                    await self._taken.wait()
        finally:
            self._coming.set()

    async def _send(self) -> None:
        while (frame := await self._frames.get()) is not None:
            await self.link.send(frame)
            self._bytes_waiting -= len(frame)
            self._drained.set()

    @property
    def _is_full(self) -> bool:
        return self._bytes_waiting > _BYTES_WAITING_MAX or self._frames.qsize() > _FRAMES_WAITING_MAX

    async def _until_room(self) -> None:
        """Who asks and does not read is not heard any further."""
        while self._is_full:
            self._drained.clear()
            await self._drained.wait()

    async def _keep_time(self) -> None:
        while True:
            session = self._session
            assert session is not None
            self._timer = self._deadline
            timeout_s = None if self._timer is None else max(0.0, (self._timer - self.runtime.now_ms()) / 1000)
            try:
                async with asyncio.timeout(timeout_s):  # not wait_for: before Python 3.12 it may lose a cancellation
                    await self._stirred.wait()
            except TimeoutError:
                if self._deadline is not None and self._deadline <= self.runtime.now_ms():
                    await self._until_room()
                    await self._step(lambda session, now_ms: session.handle_timeout(now_ms))
                continue
            self._stirred.clear()
            if self._failed is not None:
                raise self._failed
            await self._take_all()
            if self._changed:
                if any(growth.ids is None for _, growth in list(self._grown)):
                    await asyncio.sleep(_CHANGE_PAUSE_S)  # an import: many steps that are found by one opening
                await self._until_room()
                self._changed = False
                await self._step(self._tell_grown)

    async def _step(self, step: Callable[[Session, int], Sequence[Event]], *, patient: bool = False) -> None:
        """One input to the session, in the engine's thread, then all it has to say."""
        session = self._session
        assert session is not None
        runtime = self.runtime

        def run() -> tuple[Sequence[Event], list[bytes]]:
            began = monotonic()
            events = step(session, runtime.now_ms())
            if session.state is State.ESTABLISHED and not self._browsed:
                self._browsed = True
                events = [*events, *session.browse(runtime.now_ms())]
            frames = self._say_all(session)
            ended = monotonic()
            self._worth.note(ended - began, ended, brought=any(map(_brings, events)))
            return events, frames

        # The engine answers in the order in which it worked, so frames go out as the session made them.
        events, frames = await runtime.run_for_peer(run, patient=patient, late=self._worth.is_late)
        self._said(events, frames)
        while _is_large(frames):  # else it had said all
            frames = await runtime.run_for_peer(lambda: self._say_all(session))
            self._said((), frames)
        await self._take_all()

    def _say_all(self, session: Session) -> list[bytes]:
        """In the engine's thread: what the session has to send, up to about a frame of the largest size."""
        said: list[bytes] = []
        while not _is_large(said) and (frames := session.data_to_send()):
            said += frames
        self._deadline = session.next_deadline()
        return said

    def _said(self, events: Sequence[Event], frames: Sequence[bytes]) -> None:
        for frame in frames:
            self._bytes_waiting += len(frame)
            self._frames.put_nowait(frame)
        self._happened.extend(events)
        if any(isinstance(event, SessionEnded) for event in events):  # behind the frame that says why
            self._frames.put_nowait(None)
        if self._happened or (self._deadline is not None and (self._timer is None or self._deadline < self._timer)):
            self._stirred.set()

    async def _take_all(self) -> None:
        """Take what happened, in order; whoever comes while that is done leaves it to the one who does."""
        if self._taking:
            return
        self._taking = True
        try:
            while self._happened:
                await self._take(self._happened.popleft())
        finally:
            self._taking = False

    # -- what happened

    async def _take(self, event: Event) -> None:
        match event:
            case HandshakeDone():
                self.peer, self.agent, self.clock_ms = event.peer, _printable(event.agent), event.clock_ms
                self.connected_at = Instant(self.runtime.now_ms())
                if self._session is not None and (methods := self._session.compression):
                    self.link.change(partial(compressed, methods=methods), partial(opened, methods=methods))
                refusal = self.admit(self, event.peer)
                if refusal is not None:
                    self._because(*refusal)
                    await self.end(refusal.code if refusal.code in ("blocked", "stopping") else "refused", refusal.why)
            case ClockDiffered():
                logger.warning("the clock of %s differs from ours by %d s", self._name(), event.ahead_ms // 1000)
            case CommonsMatched():
                self.standings[event.commons] = Standing()
                self.matched = True
                self.joined(self)
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
                standing = self._standing(event.commons)
                standing.become("receiving", why, "receiving")
                standing.have, standing.of = event.have, event.of
            case Compared():
                self.runtime.comparisons[event.method, event.reason] += 1
            case Completed():
                self._standing(event.commons).become("same", *but_for(event))
            case OwedChanged():
                standing = self._standing(event.commons)
                standing.owed, standing.reckoned = event.count, event.number
            case Differed():
                why = "the exchange found no way to equal sets; tried again soon"
                self._standing(event.commons).become("differs", why, "differs")
            case PeerSpoke():
                if self.spoke is not None:
                    self.spoke(self, event.said)
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


def _brings(event: Event) -> bool:
    """Whether records came or went: what a session is for."""
    return isinstance(event, RecordsSent) or (isinstance(event, RecordsReceived) and event.count > 0)


def _is_large(frames: Sequence[bytes]) -> bool:
    return sum(map(len, frames)) >= FRAME_BYTES_MAX


def _receive_all(session: Session, frames: deque[bytes], now_ms: int) -> list[Event]:
    events: list[Event] = []
    while frames and not session.is_over:
        events += session.receive_data(frames.popleft(), now_ms)
    return events


def _printable(text: str) -> str:
    """A stranger's words, without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
