"""Many whole sessions in virtual time: real frames over links with a delay, and shelves as libraries.

What `tests/simulation/crowd.py` leaves out is here: handshakes, openings and rounds, windows, packs and their seals.
It takes some hundred times longer for each record than that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from random import Random
from typing import Any

from p2pcommons.core.record import CommonsId
from p2pcommons.core.seal import Sealed
from p2pcommons.sync.events import SessionEnded
from p2pcommons.sync.gossip import Growth
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.message import News, Want, starts_like
from p2pcommons.sync.session import Session
from simulation.shelf import COMMONS, NOW_MS, Shelf, Taken, key_of, records_of
from simulation.world import CHANNEL, dice

FOUNDER = "alice"
_ID_BYTES = 34


class House(Shelf):
    """One node: its shelf, when records came, what grew since its sessions were told, and its sessions."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.key = key_of(f"house {number}")
        self.ends: list[End] = []
        self.here: dict[bytes, float] = {}
        self.grown: list[tuple[CommonsId, Growth]] = []
        self.bodies = 0
        self.twice = 0
        self.bytes = 0
        self.put(records_of(FOUNDER, 0, [0]))
        self.grown.clear()

    def put(self, records: Iterable[Sealed], commons: bytes = COMMONS) -> None:
        made = list(records)
        super().put(made, commons)
        ids = [(sealed.record.header.plane, sealed.record.id) for sealed in made]
        self.grown.append((CommonsId(commons), Growth(self.numbers[CommonsId(commons)], ids, len(ids))))

    def receive(self, commons: CommonsId, packs: Sequence[Any], now_ms: int) -> Taken:
        taken = super().receive(commons, packs, now_ms)
        given = sum(len(pack[5]) for pack in packs)
        self.bodies += given
        self.twice += given - len(taken.ids) - len(taken.refused)
        if taken.new:
            assert taken.new == len(taken.ids)
            growth = Growth(self.numbers[commons], [(1, identifier) for identifier in taken.ids], taken.new)
            self.grown.append((commons, growth))
        return taken


class End:
    """One end of a link."""

    def __init__(self, house: House, role: Role, expected: bytes | None, now_ms: int, delay_ms: float) -> None:
        self.house = house
        self.peer = self
        self.up = True
        self.delay_ms = delay_ms
        self.arrives_ms = 0.0
        self.wake_ms: int | None = None
        random = dice(int.from_bytes(house.key.public[:4], "big") + role)
        self.session = Session(
            house, role=role, key=house.key, channel=CHANNEL, nonce=random(32), random=random, now_ms=now_ms,
            expected=expected,
        )  # fmt: skip


class Town:
    """All nodes, the frames on the way between them, and the time."""

    def __init__(
        self, count: int, links: Iterable[tuple[int, int]], seed: int, *, link_ms: float = 20.0, jitter: float = 0.2
    ) -> None:
        self.random = Random(seed)
        self.now_ms = float(NOW_MS)
        self.houses = [House(number) for number in range(count)]
        self.written: dict[bytes, float] = {}
        self.ended: list[SessionEnded] = []
        self.frames: dict[int, int] = defaultdict(int)  # by type
        self.ids = 0  # told in news
        self.deaf: set[int] = set()  # nodes that never answer what they are asked for
        self._link_ms, self._jitter = link_ms, jitter
        self._coming: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        for a, b in links:
            self.at(self.now_ms + self.random.uniform(0, 30_000), self.connect, a, b)  # they did not meet all at once

    # -- time

    def at(self, at_ms: float, do: Callable[..., None], *what: Any) -> None:
        """Let something happen then."""
        self._order += 1
        heappush(self._coming, (at_ms, self._order, do, what))

    def run(self, ms: float) -> None:
        """Let so much time pass."""
        until_ms = self.now_ms + ms
        while self._coming and self._coming[0][0] <= until_ms:
            self.now_ms, _, do, what = heappop(self._coming)
            do(*what)
        self.now_ms = until_ms

    # -- what happens

    def connect(self, a: int, b: int, slower: float = 1.0) -> None:
        """A new link between two."""
        delay_ms = self._link_ms * self.random.uniform(1 - self._jitter, 1 + self._jitter) * slower
        one, two = self.houses[a], self.houses[b]
        ends = [
            End(one, Role.DIALLER, two.key.public, int(self.now_ms), delay_ms),
            End(two, Role.LISTENER, None, int(self.now_ms), delay_ms),
        ]
        ends[0].peer, ends[1].peer = ends[1], ends[0]
        for end in ends:
            end.house.ends.append(end)
            self._say(end)

    def cut(self, end: End) -> None:
        """The link is lost, and what is on the way with it."""
        for one in (end, end.peer):
            one.up = False
            one.house.ends.remove(one)

    def write(self, number: int, record: Sealed, *, far: bool = False) -> None:
        """A person writes on this node; `far`: it came from far away, rather."""
        house = self.houses[number]
        self.written[record.record.id] = house.here[record.record.id] = self.now_ms
        house.put([record])
        if far:
            house.spreads[COMMONS].came([record.record.id], None, int(self.now_ms))
        self._grow(house)

    def _say(self, end: End) -> None:
        while frames := end.session.data_to_send():
            for frame in frames:
                end.arrives_ms = max(end.arrives_ms, self.now_ms + end.delay_ms)
                self.at(end.arrives_ms, self._arrive, end.peer, frame)
        due_ms = end.session.next_deadline()
        if due_ms is not None and (end.wake_ms is None or due_ms < end.wake_ms):
            end.wake_ms = max(due_ms, int(self.now_ms))
            self.at(end.wake_ms, self._wake, end, end.wake_ms)

    def _arrive(self, end: End, frame: bytes) -> None:
        if end.up and not (end.house.number in self.deaf and starts_like(frame, Want)):
            end.house.bytes += len(frame)
            self.frames[frame[1]] += 1
            if starts_like(frame, News):
                self.ids += (len(frame) - 5) // _ID_BYTES
            self.ended += [e for e in end.session.receive_data(frame, int(self.now_ms)) if isinstance(e, SessionEnded)]
            self._say(end)
            self._grow(end.house)

    def _wake(self, end: End, at_ms: int) -> None:
        if end.up and end.wake_ms == at_ms:
            end.wake_ms = None
            self.ended += [e for e in end.session.handle_timeout(int(self.now_ms)) if isinstance(e, SessionEnded)]
            self._say(end)

    def _grow(self, house: House) -> None:
        if not house.grown:
            return
        for _, growth in house.grown:
            for _, identifier in growth.ids or ():
                house.here.setdefault(identifier, self.now_ms)
        grown, house.grown = house.grown, []
        for end in house.ends:
            end.session.local_change(int(self.now_ms), grown)
            self._say(end)

    # -- what came of it

    def delays(self, identifier: bytes) -> list[float]:
        """After how many link delays this record was on each node that has it, in order."""
        began = self.written[identifier]
        return sorted((h.here[identifier] - began) / self._link_ms for h in self.houses if identifier in h.here)

    def count(self) -> tuple[int, int, int]:
        """Bodies that came to nodes so far, those of them that were there, and bytes of all frames."""
        return (
            sum(h.bodies for h in self.houses), sum(h.twice for h in self.houses), sum(h.bytes for h in self.houses)
        )  # fmt: skip
