"""Many nodes and the news between them, in virtual time: `sync.gossip` as it is, over light links and plain sets.

A link carries messages in order, each way after its delay; what is on the way when it breaks is lost. Sessions,
frames and records are left out: a record is an id and a size. `tests/simulation/test_meetings.py` has whole sessions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import heappop, heappush
from random import Random
from typing import Any

from p2pcommons.sync.gossip import Gossip
from p2pcommons.sync.spread import Spread

LINK_MS = 20.0
RECORD_BYTES = 560  # header, body and salt of one entry, and its share of a pack
PLANE = 1
_ID_BYTES = 34
_HEAD_BYTES = 6  # type, slot, plane, and the header of a binary WebSocket frame
_PACK_BYTES = 170  # author, commons, size, signature
_ROUND_MS = 30_000  # between two openings of a link at rest


def names(seed: int, count: int) -> list[bytes]:
    """Ids that look random, the same for the same seed."""
    return [sha256(f"{seed} {number}".encode()).digest() for number in range(count)]


def neighbours(count: int, random: Random, least: int = 8, most: int = 20) -> list[tuple[int, int]]:
    """The links of a random graph in which each node has about so many neighbours."""
    stubs = [node for node in range(count) for _ in range(random.randint(least, most))]
    random.shuffle(stubs)
    found = {(min(a, b), max(a, b)) for a, b in zip(stubs[::2], stubs[1::2], strict=False) if a != b}
    return sorted(found)


@dataclass(slots=True)
class Count:
    """What all nodes together received of one record."""

    bodies: int = 0
    twice: int = 0  # bodies that were there
    ids: int = 0
    wants: int = 0


@dataclass(slots=True, eq=False)
class End:
    """One end of a link."""

    node: Node
    gossip: Gossip
    delay_ms: float
    other: End | None = None
    up: bool = True
    mute: bool = False  # nothing gets through any more, and nobody has noticed
    unanswered: int = 0  # ids we asked for
    arrives_ms: float = 0.0  # the last thing we sent
    wake_ms: float = 0.0

    @property
    def peer(self) -> End:
        assert self.other is not None
        return self.other


@dataclass(slots=True, eq=False)
class Node:
    """One node: what is here since when, and its links."""

    number: int
    here: dict[bytes, float] = field(default_factory=dict)
    spread: Spread = field(default_factory=Spread)
    ends: list[End] = field(default_factory=list)
    bytes: int = 0
    """Received."""
    gives: Callable[[bytes], bool] = lambda identifier: True
    """Whether it answers a want for this id at all; a hostile one may not."""
    finds: Callable[[bytes], bool] = lambda identifier: True
    """Whether it gives what it has when it answers."""


class Crowd:
    """All nodes, what is on the way between them, and the time."""

    def __init__(
        self, count: int, links: Iterable[tuple[int, int]], seed: int, *, link_ms: float = LINK_MS, jitter: float = 0.2,
        slow: Sequence[int] = (), slower: float = 100.0, rounds: bool = False,
    ) -> None:  # fmt: skip
        self.random = Random(seed)
        self.now_ms = 0.0
        self.nodes = [Node(number) for number in range(count)]
        self.written: dict[bytes, float] = {}
        self.counts: dict[bytes, Count] = defaultdict(Count)
        self._link_ms, self._jitter = link_ms, jitter
        self._slow, self._slower = frozenset(slow), slower
        self._rounds = rounds
        self._coming: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        for a, b in links:
            self.connect(a, b, opens=False)

    # -- time

    def at(self, at_ms: float, do: Callable[..., None], *what: Any) -> None:
        """Let something happen then."""
        self._order += 1
        heappush(self._coming, (at_ms, self._order, do, what))

    def run(self, until_ms: float) -> None:
        """Let all happen that happens until then."""
        while self._coming and self._coming[0][0] <= until_ms:
            self.now_ms, _, do, what = heappop(self._coming)
            do(*what)
        self.now_ms = max(self.now_ms, until_ms)

    @property
    def _now(self) -> int:
        return round(self.now_ms)

    # -- links

    def connect(self, a: int, b: int, *, opens: bool = True) -> None:
        """A new link between two, and a round over it unless nothing is there yet."""
        delay_ms = self._link_ms * self.random.uniform(1 - self._jitter, 1 + self._jitter)
        if a in self._slow or b in self._slow:
            delay_ms *= self._slower
        ends = [End(node, Gossip(node.spread), delay_ms) for node in (self.nodes[a], self.nodes[b])]
        ends[0].other, ends[1].other = ends[1], ends[0]
        for end in ends:
            end.node.ends.append(end)
            self.at(self.now_ms, self._ask_reach, end)
        if opens:
            self.at(self.now_ms + delay_ms, self._round, ends[0])
        elif self._rounds:
            self.at(self.random.uniform(0, _ROUND_MS), self._round, ends[0])

    def cut(self, end: End) -> None:
        """The link is lost, and what is on the way with it."""
        for one in (end, end.peer):
            one.up = False
            one.node.ends.remove(one)
            one.gossip.close()

    def mute(self, end: End) -> None:
        """The link carries nothing any more; both ends go on as if it did, until it is cut."""
        end.mute = end.peer.mute = True

    def stop(self, number: int) -> None:
        """A node goes; what it holds stays."""
        for end in list(self.nodes[number].ends):
            self.cut(end)

    def _send(self, end: End, take: Callable[..., None], size: int, *what: Any) -> None:
        end.arrives_ms = max(end.arrives_ms, self.now_ms + end.delay_ms)  # in order
        self.at(end.arrives_ms, self._arrive, end.peer, take, size, what)

    def _arrive(self, end: End, take: Callable[..., None], size: int, what: tuple[Any, ...]) -> None:
        if end.up and not end.mute:
            end.node.bytes += size
            take(end, *what)
            self._ask_reach(end)
            self._sleep(end)

    # -- what nodes do

    def write(self, number: int, *ids: bytes) -> None:
        """A person writes on this node."""
        node = self.nodes[number]
        for identifier in ids:
            self.written[identifier] = node.here[identifier] = self.now_ms
        node.spread.wrote(ids, self._now)
        self._tell(node, ids)

    def invent(self, number: int, *ids: bytes) -> None:
        """A node tells of what it does not have."""
        for end in self.nodes[number].ends:
            self._send(end, self._take_news, _HEAD_BYTES + _ID_BYTES * len(ids), list(ids))

    def _tell(self, node: Node, ids: Sequence[bytes]) -> None:
        for end in node.ends:
            for hops, some in end.gossip.tell(ids):
                if hops is None:
                    self._send(end, self._take_news, _HEAD_BYTES + _ID_BYTES * len(some), some)
                else:
                    self._give(end, some, 0, hops)

    def _give(self, end: End, ids: list[bytes], answered: int, hops: int | None) -> None:
        size = _HEAD_BYTES + len(ids) * (RECORD_BYTES + _PACK_BYTES)
        self._send(end, self._take_packs, size, ids, answered, hops)

    def _take_news(self, end: End, ids: list[bytes]) -> None:
        for identifier in ids:
            self.counts[identifier].ids += 1
        end.gossip.known.add(ids)
        self._ask(end, ids)

    def _ask(self, end: End, ids: list[bytes]) -> None:
        asked = end.gossip.hear(PLANE, [i for i in ids if i not in end.node.here], self._now)
        if asked:
            self._want(end, asked)

    def _want(self, end: End, ids: list[bytes]) -> None:
        end.unanswered += len(ids)
        for identifier in ids:
            self.counts[identifier].wants += 1
        self._send(end, self._take_want, _HEAD_BYTES + _ID_BYTES * len(ids), ids)

    def _take_want(self, end: End, ids: list[bytes]) -> None:
        answered = [i for i in ids if end.node.gives(i)]
        if answered:
            found = [i for i in answered if i in end.node.here and end.node.finds(i)]
            end.gossip.known.add(found)
            self._give(end, found, len(answered), None)

    def _take_packs(self, end: End, ids: list[bytes], answered: int, hops: int | None) -> None:
        node = end.node
        new = [i for i in ids if i not in node.here]
        for identifier in ids:
            self.counts[identifier].bodies += 1
            self.counts[identifier].twice += identifier in node.here
        node.here.update(dict.fromkeys(new, self.now_ms))
        end.gossip.came(new, (), len(ids), hops, self._now)
        end.unanswered -= answered
        if answered and not end.unanswered:
            end.gossip.settled(PLANE)
        self._send(end, self._take_confirm, _HEAD_BYTES)
        self._tell(node, new)

    def _take_confirm(self, end: End) -> None:
        pass

    def _ask_reach(self, end: End) -> None:
        if end.up and (reach := end.gossip.reach_to_tell()) is not None:
            self._send(end, self._take_eager, _HEAD_BYTES, reach)

    def _take_eager(self, end: End, reach: int) -> None:
        end.gossip.their_reach = reach

    def _sleep(self, end: End) -> None:
        due_ms = end.gossip.due_ms
        if due_ms is not None and (due_ms < end.wake_ms or end.wake_ms <= self.now_ms):
            end.wake_ms = max(due_ms, self.now_ms)
            self.at(end.wake_ms, self._wake, end)

    def _wake(self, end: End) -> None:
        if end.up and end.wake_ms <= self.now_ms:
            for _, ids in end.gossip.again(self._now):
                end.gossip.forget([i for i in ids if i in end.node.here])
                self._ask(end, ids)
            self._sleep(end)

    def _round(self, end: End) -> None:
        """An opening each way, and what one of both lacked then is given: the delivery check."""
        if end.up:
            here, there = end.node.here.keys(), end.peer.node.here.keys()
            have, need = sorted(here - there), sorted(there - here)
            self.at(self.now_ms + 2 * end.delay_ms, self._use, end, have, need)
            if self._rounds:
                self.at(self.now_ms + _ROUND_MS, self._round, end)

    def _use(self, end: End, have: list[bytes], need: list[bytes]) -> None:
        if not end.up or end.mute:
            return
        if give := end.gossip.untold(have, self._now):
            end.gossip.known.add(give)
            self._give(end, give, 0, None)
        if ask := end.gossip.seek(PLANE, [i for i in need if i not in end.node.here], self._now):
            self._want(end, ask)
        self._sleep(end)

    # -- what came of it

    def delays(self, identifier: bytes, among: Iterable[int] | None = None) -> list[float]:
        """After how many link delays this record was on each node that has it, in order."""
        nodes = self.nodes if among is None else [self.nodes[number] for number in among]
        began = self.written[identifier]
        return sorted((n.here[identifier] - began) / self._link_ms for n in nodes if identifier in n.here)

    def per_node(self, count: Callable[[Count], int], ids: Sequence[bytes]) -> float:
        """How much of something came to each node for each of these records, on average."""
        return sum(count(self.counts[i]) for i in ids) / len(self.nodes) / len(ids)
