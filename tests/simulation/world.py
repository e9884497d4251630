"""Links between sessions: frames wait, are delivered in any grouping, and the link may drop; time is a number."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from p2pcommons.core.identity import SigningKey
from p2pcommons.sync.choice import FEATURE as SKETCH
from p2pcommons.sync.events import Event
from p2pcommons.sync.handshake import Role, direct_channel
from p2pcommons.sync.library import Library
from p2pcommons.sync.session import FEATURES, Session
from simulation.shelf import NOW_MS, key_of

CHANNEL = direct_channel(b"a certificate")
NO_SKETCH = tuple(feature for feature in FEATURES if feature != SKETCH)
_SOON_MS = 2_000  # deadlines nearer than this belong to what is going on
_DELIVERIES_MAX = 20_000

Chooser = Callable[[int], int]
"""A number below its argument."""


def always(number: int) -> Chooser:
    return lambda below: min(number, below - 1)


def dice(seed: int) -> Callable[[int], bytes]:
    """Bytes that look random and are the same for the same seed."""
    counter = iter(range(10**9))
    stream: Iterator[bytes] = (sha256(f"{seed} {number}".encode()).digest() for number in counter)
    return lambda size: b"".join(next(stream) for _ in range(-(-size // 32)))[:size]


class Clock:
    def __init__(self) -> None:
        self.now_ms = NOW_MS


class End:
    """One end of a link: a session, what it sent and was not delivered, and what it told."""

    def __init__(
        self,
        library: Library,
        role: Role,
        clock: Clock,
        key: SigningKey,
        expected: bytes | None,
        *,
        eager: bool = True,
        features: Sequence[str] = FEATURES,
    ) -> None:
        random = dice(int.from_bytes(key.public[:4], "big") + role)
        self.library = library
        self.session = Session(
            library, role=role, key=key, channel=CHANNEL, nonce=random(32), random=random, now_ms=clock.now_ms,
            expected=expected, eager=eager, features=features,
        )  # fmt: skip
        self.sent: deque[bytes] = deque()
        self.events: list[Event] = []
        self.carry: Callable[[bytes], bytes] = lambda frame: frame  # what a link makes of a frame on its way
        self.frames = 0
        self.bytes = 0

    def flush(self) -> None:
        while said := self.session.data_to_send():
            frames = [self.carry(frame) for frame in said]
            self.sent.extend(frames)
            self.frames += len(frames)
            self.bytes += sum(map(len, frames))

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Link:
    """Two ends. `choose` decides who is served next and how many frames arrive together."""

    def __init__(
        self,
        dialler: Library,
        listener: Library,
        clock: Clock | None = None,
        *,
        choose: Chooser = always(0),  # noqa: B008
        names: tuple[str, str] = ("node one", "node two"),
        eager: tuple[bool, bool] = (True, True),
        features: tuple[Sequence[str], Sequence[str]] = (FEATURES, FEATURES),
    ) -> None:
        self.clock = clock or Clock()
        self.choose = choose
        listens = key_of(names[1])
        self.ends = (
            End(
                dialler,
                Role.DIALLER,
                self.clock,
                key_of(names[0]),
                listens.public,
                eager=eager[0],
                features=features[0],
            ),
            End(listener, Role.LISTENER, self.clock, listens, None, eager=eager[1], features=features[1]),
        )
        self.deliveries = 0

    @property
    def dialler(self) -> End:
        return self.ends[0]

    @property
    def listener(self) -> End:
        return self.ends[1]

    def step(self) -> bool:
        """Deliver some frames one way; False when nothing is on the way."""
        for end in self.ends:
            end.flush()
        ways = [(here, there) for here, there in (self.ends, self.ends[::-1]) if here.sent]
        if not ways:
            return False
        here, there = ways[self.choose(len(ways))]
        for _ in range(1 + self.choose(len(here.sent))):
            there.events += there.session.receive_data(here.sent.popleft(), self.clock.now_ms)
            self.deliveries += 1
        assert self.deliveries < _DELIVERIES_MAX, "the two never come to rest"
        return True

    def run(self, deliveries: int | None = None) -> Link:
        """Carry frames until both rest, or until the link drops after so many deliveries."""
        while deliveries is None or self.deliveries < deliveries:
            if self.step():
                continue
            deadlines = [at for end in self.ends if (at := end.session.next_deadline()) is not None]
            due = min(deadlines, default=None)
            if due is None or due > self.clock.now_ms + _SOON_MS:
                return self
            self.tick(max(due - self.clock.now_ms, 0))
        return self

    def tick(self, ms: int) -> None:
        self.clock.now_ms += ms
        for end in self.ends:
            end.events += end.session.handle_timeout(self.clock.now_ms)

    def changed(self) -> None:
        """Both nodes look whether their own sets changed."""
        for end in self.ends:
            end.events += end.session.local_change(self.clock.now_ms)
