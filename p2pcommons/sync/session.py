"""A session: one peer, from the first byte to the last, as a machine of values (chapter 30).

Frames and `now_ms` come in through `receive_data` and `handle_timeout`, events go out; frames to send are taken
from `data_to_send`, again and again until it returns none. Both ends run this code and differ in their role only.
Knows no socket, no clock and no dice; records are its library's business, a commons' rounds those of `Exchange`.

Its driver calls `local_change` when the node's own sets, or the list of followed commons, have changed, and
`handle_timeout` when `next_deadline` has come. A commons no longer followed is left at the next call, whichever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum, auto
from typing import Any, Final

from p2pcommons.core.identity import PublicKey, SigningKey
from p2pcommons.core.limits import (
    AHEAD_MS_MAX,
    DETAIL_BYTES_MAX,
    FRAME_BYTES_MAX,
    HANDSHAKE_MS_MAX,
    SESSION_IDLE_MS_MAX,
    SESSION_UNSHARED_MS_MAX,
    WINDOW_BYTES,
)
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.sync.choice import FEATURE as SKETCH
from p2pcommons.sync.compression import FEATURES as COMPRESSIONS
from p2pcommons.sync.compression import Method, message_of, shared
from p2pcommons.sync.events import (
    ClockDiffered,
    CommonsLeft,
    CommonsListed,
    CommonsMatched,
    Event,
    HandshakeDone,
    PeerRefused,
    PeerSpoke,
    RecordsSent,
    SessionEnded,
)
from p2pcommons.sync.exchange import Exchange
from p2pcommons.sync.gossip import FEATURE as LIVE
from p2pcommons.sync.gossip import Growth, joined
from p2pcommons.sync.handshake import ANYBODY, Handshake, Role, host_of
from p2pcommons.sync.hello import Hello
from p2pcommons.sync.library import Library, Taken
from p2pcommons.sync.listing import FEATURE as LISTING
from p2pcommons.sync.listing import Browsing
from p2pcommons.sync.message import (
    Ask,
    Browse,
    Confirm,
    Done,
    Eager,
    End,
    Introduce,
    Leave,
    Listing,
    Message,
    More,
    Names,
    News,
    Open,
    Packs,
    Peers,
    Proof,
    Range,
    Reached,
    Refuse,
    Symbols,
    Want,
    encode_message,
)
from p2pcommons.sync.naming import Naming
from p2pcommons.sync.peering import FEATURE as PEERS
from p2pcommons.sync.peering import Peering

__all__ = ["TRANSITIONS", "Event", "Library", "Role", "Session", "State", "Taken"]


FEATURES: Final = tuple(sorted((LISTING, LIVE, PEERS, SKETCH, *COMPRESSIONS)))


class State(Enum):
    """Where a session is."""

    HELLO_AWAITED = auto()
    PROOF_AWAITED = auto()
    NAMES_AWAITED = auto()
    ESTABLISHED = auto()
    ENDED = auto()


ABOUT_ONE_COMMONS: Final = (Range, Symbols, More, Ask, Want, Packs, Confirm, Refuse, Done, News, Eager)

# What is absent is forbidden. The listener answers each step before it waits for the next one.
TRANSITIONS: Final[dict[tuple[State, type[Any]], State]] = {
    (State.HELLO_AWAITED, Hello): State.PROOF_AWAITED,
    (State.PROOF_AWAITED, Proof): State.NAMES_AWAITED,
    (State.NAMES_AWAITED, Names): State.ESTABLISHED,
    **{
        (State.ESTABLISHED, kind): State.ESTABLISHED
        for kind in (Names, Leave, Open, *ABOUT_ONE_COMMONS, Browse, Listing, Introduce, Peers, Reached)
    },
    **{(state, End): State.ENDED for state in State if state is not State.ENDED},
}


class Session:
    """One session with one peer.

    `channel`: as this end sees the link (`handshake.direct_channel`, `hosted_channel`); `hosts`: host names by which
    a listener is reached through others. `nonce`: 32 fresh random bytes. `random` pads the list of commons.
    `eager`: have new records whole from this peer, where they do not come twice so (chapter 33). `features`: what this end
    names in its hello.
    """

    def __init__(
        self,
        library: Library,
        *,
        role: Role,
        key: SigningKey,
        channel: bytes,
        nonce: bytes,
        random: Callable[[int], bytes],
        now_ms: int,
        expected: bytes | None = None,
        hosts: Collection[str] = (),
        versions: Sequence[int] = (1,),
        agent: str = "",
        eager: bool = True,
        features: Sequence[str] = FEATURES,
    ) -> None:
        self.role = role
        self.peer: PublicKey | None = None
        """The peer's node key, once it is proved."""
        self.compression: tuple[Method, ...] = ()
        """How frames of packs may be compressed on their way, the best first; its driver does it (chapter 36)."""
        self._library = library
        self._random = random
        self._state = State.HELLO_AWAITED
        self._started_ms = self._heard_ms = self._now_ms = now_ms
        hello = Hello(
            key=key.public,
            nonce=nonce,
            now_ms=now_ms,
            expected=(expected if role is Role.DIALLER else None) or ANYBODY,
            versions=tuple(versions),
            features=tuple(features),
            window=WINDOW_BYTES,
            host=host_of(channel) if role is Role.DIALLER else "",
            agent=agent,
        )
        self._handshake = Handshake(role, key, channel, hosts, hello)
        self._outbox: list[bytes] = [self._handshake.frame] if role is Role.DIALLER else []
        self._events: list[Event] = []
        self._naming: Naming | None = None
        self._browsing = Browsing(agreed=False)
        self._peering = Peering(agreed=False, peer=ANYBODY)
        self._exchanges: dict[int, Exchange] = {}
        self._unshared_ms = now_ms  # since when nothing is in common that neither end named anew
        self._followed: Sequence[CommonsId] = ()
        self._eager = eager
        self._features = features
        self._live = False  # both ends tell news
        self._sketches = False  # both ends know the sketch
        self._turn = 0  # which commons may send next

    # -- what drivers ask

    @property
    def state(self) -> State:
        """Where the session is."""
        return self._state

    @property
    def peer_nonce(self) -> bytes:
        """What the peer's hello was made fresh with, proved or not; our own before it came."""
        return self._handshake.theirs.nonce

    @property
    def is_over(self) -> bool:
        """Whether the link can be closed, once `data_to_send` has returned what is left."""
        return self._state is State.ENDED

    @property
    def speaks_of_peers(self) -> bool:
        """Whether both ends exchange peer records (chapter 35)."""
        return self._state is State.ESTABLISHED and self._peering.agreed

    def commons(self) -> list[CommonsId]:
        """The commons that both ends follow."""
        return [exchange.commons for exchange in self._exchanges.values()]

    def next_deadline(self) -> int | None:
        """When to call `handle_timeout`, in Unix milliseconds; it may be in the past. None when there is none."""
        if self._state is State.ENDED:
            return None
        if self._state is not State.ESTABLISHED:
            return self._started_ms + HANDSHAKE_MS_MAX
        if not self._exchanges:  # the listener ends it in time; else the link's heartbeat tells who is there
            return self._unshared_ms + SESSION_UNSHARED_MS_MAX if self.role is Role.LISTENER else None
        due = [at for exchange in self._exchanges.values() if (at := exchange.due_ms) is not None]
        due += [at for exchange in self._exchanges.values() if (at := exchange.news_due_ms) is not None]
        return min([self._heard_ms + SESSION_IDLE_MS_MAX, *due])

    # -- what drives it

    def receive_data(self, frame: bytes, now_ms: int) -> list[Event]:
        """One frame of the peer. Never raises for what is in it: a violation ends the session and is an event."""
        if self._state is not State.ENDED:
            self._now_ms = self._heard_ms = now_ms
            self._leave_unfollowed()
            try:
                message = message_of(frame, self.compression)
                after = TRANSITIONS.get((self._state, type(message)))
                if after is None:
                    raise RemoteProtocolError(
                        "unexpected_message", f"{type(message).__name__} does not belong into {self._state.name}"
                    )
                self._take(message, frame, now_ms)
                self._state = after
                self._go_on(now_ms)
            except (RemoteProtocolError, FormError) as error:
                self._end(error.code, error.detail, violation=True)
        return self._happened()

    def data_to_send(self) -> list[bytes]:
        """Frames to send now, about 1 MiB of packs at most: to be called until it returns none."""
        self._leave_unfollowed()
        frames = self._take_outbox()
        size = 0
        while size < FRAME_BYTES_MAX and (frame := self._next_pack_frame()) is not None:
            size += len(frame)
            frames.append(frame)
            frames += self._take_outbox()
        return frames + self._take_outbox()

    def handle_timeout(self, now_ms: int) -> list[Event]:
        """Time passed: give up a silent peer, open what is due."""
        self._now_ms = now_ms
        self._leave_unfollowed()
        if self._state is State.ENDED:
            return self._happened()
        if self._state is not State.ESTABLISHED:
            if now_ms >= self._started_ms + HANDSHAKE_MS_MAX:
                self._end("handshake_timeout", "the peer did not finish its handshake in time", violation=False)
        elif self._exchanges and now_ms >= self._heard_ms + SESSION_IDLE_MS_MAX:
            self._end("idle", "nothing was heard of the peer for a long time", violation=False)
        elif not self._exchanges and self.role is Role.LISTENER and (at := self.next_deadline()) and now_ms >= at:
            self._end("nothing_shared", "no commons was in common for a while", violation=False)
        else:
            self._try(lambda: self._go_on(now_ms))
        return self._happened()

    def local_change(self, now_ms: int, grown: Sequence[tuple[CommonsId, Growth]] = ()) -> list[Event]:
        """The node's own sets, or what it follows, changed: tell the peer.

        `grown`: the steps of its sets since the last call, in order; what is left out is found by an opening.
        """
        self._now_ms = now_ms
        if self._state is State.ESTABLISHED:
            self._try(lambda: self._take_local_change(now_ms, grown))
        return self._happened()

    def browse(self, now_ms: int) -> list[Event]:
        """Ask which announced commons the peer follows; `CommonsListed` tells, empty if the peer does not list."""
        self._now_ms = now_ms
        if self._state is State.ESTABLISHED:
            if not self._browsing.agreed:
                self._events.append(CommonsListed(()))
            elif (question := self._browsing.ask()) is not None:
                self._send(question)
        return self._happened()

    def speak(self, message: Introduce | Peers | Reached) -> list[Event]:
        """Say this about peers (chapter 35), or nothing where it may not be said now; ask `speaks_of_peers` before."""
        if self.speaks_of_peers and self._peering.may_say(message):
            self._send(message)
        return self._happened()

    def close(self, code: str = "closing", detail: str = "this node ends the session") -> list[Event]:
        """End the session from this side."""
        if self._state is not State.ENDED:
            self._end(code, detail, violation=False)
        return self._happened()

    # -- handshake

    def _take(self, message: Message, frame: bytes, now_ms: int) -> None:
        match message:
            case Hello():
                self._take_hello(message, frame)
            case Proof():
                self._take_proof(message)
            case Names():
                self._take_names(message)
            case End():
                self._outbox.clear()
                self._close_exchanges()
                self._events.append(PeerRefused(message.code, message.detail))
                self._events.append(SessionEnded(message.code, message.detail, False))
            case Open():
                for opening in message.openings:
                    exchange = self._exchange(opening.slot)
                    if exchange is not None:
                        exchange.take_opening(opening)
            case Browse():
                self._send(self._browsing.answer(self._library.announced()))
            case Listing():
                self._events.append(self._browsing.take(message))
            case Introduce() | Peers() | Reached():
                self._events.append(PeerSpoke(self._peering.take(message, now_ms)))
            case Leave():
                self._named.take_leave(message.slot)
                self._drop(message.slot)
            case _:
                exchange = self._exchange(message.slot)
                if exchange is not None:
                    exchange.take(message, now_ms)

    def _take_hello(self, theirs: Hello, frame: bytes) -> None:
        self._handshake.take_hello(theirs, frame)
        if self.role is Role.LISTENER:
            self._outbox.append(self._handshake.frame)
            self._send(self._handshake.proof())

    def _take_proof(self, message: Proof) -> None:
        self.peer = self._handshake.take_proof(message)
        theirs = self._handshake.theirs
        ahead_ms = theirs.now_ms - self._started_ms
        self._events.append(HandshakeDone(self.peer, theirs.agent, ahead_ms))
        if abs(ahead_ms) > AHEAD_MS_MAX:
            self._events.append(ClockDiffered(ahead_ms))
        self._live = LIVE in theirs.features and LIVE in self._features
        self._sketches = SKETCH in theirs.features and SKETCH in self._features
        self.compression = shared(self._features, theirs.features)
        self._browsing = Browsing(agreed=LISTING in theirs.features)
        self._peering = Peering(PEERS in theirs.features and PEERS in self._features, self.peer)
        self._naming = Naming(self.role, self._handshake.transcript, self._random)
        if self.role is Role.DIALLER:
            self._send(self._handshake.proof())
            self._send(Names(self._naming.offer(self._library.followed())))

    # -- naming

    @property
    def _named(self) -> Naming:
        assert self._naming is not None
        return self._naming

    def _take_names(self, message: Names) -> None:
        self._unshared_ms = self._now_ms
        self._followed = followed = self._library.followed()
        if self.role is Role.LISTENER:
            self._named.take_offer(message.tags)
            tags, slots = self._named.match(followed)
            self._send(Names(tags))
        else:
            slots, left = self._named.take_match(message.tags, followed)
            for slot in left:
                self._send(Leave(slot, "unfollowed"))
            if more := self._named.offer(followed):  # followed while the handshake went on
                self._send(Names(more))
        self._add(slots)

    def _take_local_change(self, now_ms: int, grown: Sequence[tuple[CommonsId, Growth]]) -> None:
        self._leave_unfollowed()
        followed = self._library.followed()
        if followed != self._followed:
            self._followed, self._unshared_ms = followed, now_ms
        for exchange in self._exchanges.values():
            steps = joined(growth for commons, growth in grown if commons == exchange.commons)
            for growth in steps:
                exchange.tell(growth, now_ms)
            if not steps:
                exchange.local_change(now_ms)
        self._named.keep(set(followed))
        if self.role is Role.DIALLER:
            tags: tuple[bytes, ...] = self._named.offer(followed)
        else:
            tags, slots = self._named.match(followed)
            self._add(slots)
        if tags:
            self._send(Names(tags))
        self._go_on(now_ms)

    def _leave_unfollowed(self) -> None:
        # A person may unfollow between any two calls: then nothing of that commons can be asked for any more.
        if not self._exchanges:
            return
        kept = set(self._library.followed())
        for slot, exchange in list(self._exchanges.items()):
            if exchange.commons not in kept or exchange.is_former:
                self._send(Leave(slot, "unfollowed"))
                self._named.leave(slot)
                self._named.keep(kept - {exchange.commons})  # offered again, if it is followed again
                self._drop(slot)

    def _add(self, slots: Iterable[int]) -> None:
        for slot in slots:
            commons = self._named.commons(slot)
            assert commons is not None
            self._heard_ms = self._now_ms
            exchange = Exchange(
                self._library, self.role, slot, commons, self._events,
                now_ms=self._now_ms, live=self._live, sketches=self._sketches, eager=self._eager,
            )  # fmt: skip
            self._exchanges[slot] = exchange
            self._events.append(CommonsMatched(commons))

    def _drop(self, slot: int) -> None:
        exchange = self._exchanges.pop(slot, None)
        if exchange is not None:
            exchange.close()
            self._unshared_ms = self._now_ms
            self._events.append(CommonsLeft(exchange.commons))

    def _exchange(self, slot: int) -> Exchange | None:
        """The exchange of a slot; None where one of both left it and the other did not know yet."""
        self._named.commons(slot)
        return self._exchanges.get(slot)

    # -- moving on

    def _go_on(self, now_ms: int) -> None:
        """Let every commons do what became possible, and open all that is due, together."""
        if self._state is not State.ESTABLISHED:
            return
        for exchange in self._exchanges.values():
            exchange.compare(now_ms)
            self._advance(exchange)
        due = [e for e in self._exchanges.values() if (at := e.due_ms) is not None and at <= now_ms]
        if not due:
            return
        openings = []
        for exchange in due:
            openings.append(exchange.open(now_ms))
            self._post(exchange)  # refusals go before the opening that reckons with them
        self._send(Open(tuple(sorted(openings, key=lambda opening: opening.slot))))
        for exchange in due:
            exchange.compare(now_ms)
            self._advance(exchange)
        if any((at := exchange.due_ms) is not None and at <= now_ms for exchange in due):
            self._go_on(now_ms)

    def _advance(self, exchange: Exchange) -> None:
        exchange.advance(self._now_ms)
        self._post(exchange)

    def _post(self, exchange: Exchange) -> None:
        for message in exchange.outbox:
            self._send(message)
        exchange.outbox.clear()

    def _next_pack_frame(self) -> bytes | None:
        if self._state is not State.ESTABLISHED:
            return None
        exchanges = list(self._exchanges.values())
        under_way = sum(exchange.supply.bytes_under_way for exchange in exchanges)
        # A frame is made only when there is room for the largest one.
        if under_way + FRAME_BYTES_MAX > min(WINDOW_BYTES, self._handshake.theirs.window):
            return None
        for place in range(len(exchanges)):
            exchange = exchanges[(self._turn + place) % len(exchanges)]
            if exchange.supply.is_empty:
                continue
            given = exchange.supply.records_given
            frame = exchange.supply.next_frame()
            self._advance(exchange)  # what was left may be nothing: then it is done
            if frame is not None:
                self._events.append(RecordsSent(exchange.commons, exchange.supply.records_given - given))
                self._turn = (self._turn + place + 1) % len(exchanges)
                return frame
        return None

    def _take_outbox(self) -> list[bytes]:
        frames, self._outbox = self._outbox, []
        return frames

    def _send(self, message: Message) -> None:
        self._outbox.append(encode_message(message))

    # -- the end

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except RemoteProtocolError as error:
            self._end(error.code, error.detail, violation=True)

    def _end(self, code: str, detail: str, *, violation: bool) -> None:
        self._outbox = [encode_message(End(code, detail.encode()[:DETAIL_BYTES_MAX].decode(errors="ignore")))]
        self._close_exchanges()
        self._state = State.ENDED
        self._events.append(SessionEnded(code, detail, violation))

    def _close_exchanges(self) -> None:
        for exchange in self._exchanges.values():
            exchange.close()
        self._exchanges.clear()

    def _happened(self) -> list[Event]:
        for exchange in self._exchanges.values():
            exchange.tell_owed()
        happened, self._events[:] = list(self._events), []
        return happened
