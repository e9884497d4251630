"""A copy is said to be the same as a peer's only while the peer has all that is here; and it is said again soon."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.shelf import COMMONS, Shelf, records_of
from simulation.world import End, Link

from p2pcommons.core.limits import GOSSIP_IDS_MAX, ROUND_EVERY_MS
from p2pcommons.core.seal import Sealed
from p2pcommons.sync.events import Completed, Differed, OwedChanged, ProgressMade
from p2pcommons.sync.gossip import Growth
from p2pcommons.sync.owed import Owed

WORKS = 30


@cache
def door() -> tuple[Sealed, ...]:
    return tuple(records_of("alice", 0, [0]))


@cache
def works() -> tuple[Sealed, ...]:
    return tuple(records_of("alice", 1, range(WORKS), tree=8))


class Watched:
    """One end of a link, and whether it says that both copies are the same."""

    def __init__(self, end: End, shelf: Shelf) -> None:
        self.end, self.shelf = end, shelf
        self.written = -1

    def write(self, number: int, now_ms: int, *, tell: bool) -> None:
        sealed = works()[number]
        if sealed.record.id in self.shelf.ids()[1]:
            return
        self.shelf.put([sealed])
        self.written = self.shelf.numbers[COMMONS]
        ids = [(1, sealed.record.id)] if tell else None
        self.end.events += self.end.session.local_change(now_ms, [(COMMONS, Growth(self.written, ids))])

    def says_same(self) -> bool:
        state, owed, reckoned = "comparing", 0, -1
        for event in self.end.events:
            match event:
                case Completed():
                    state = "same"
                case OwedChanged():
                    owed, reckoned = event.count, event.number
                case Differed() | ProgressMade():
                    state = "else"
        return state == "same" and not owed and reckoned >= self.written


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, WORKS - 1), st.booleans(), st.integers(0, 4)), max_size=24),
    st.tuples(st.booleans(), st.booleans()),
)
def test_what_is_said_to_be_the_same_is_there(
    steps: list[tuple[int, int, bool, int]], eager: tuple[bool, bool]
) -> None:
    shelves = Shelf(), Shelf()
    for one in shelves:
        one.put(door())
    link = Link(*shelves, eager=eager)
    link.run()
    sides = [Watched(end, one) for end, one in zip(link.ends, shelves, strict=True)]

    def check() -> None:
        for side, other in (sides, sides[::-1]):
            if side.says_same():
                assert side.shelf.ids()[1] <= other.shelf.ids()[1]

    assert all(side.says_same() for side in sides)
    for place, number, tell, deliveries in steps:
        sides[place].write(number, link.clock.now_ms, tell=tell)
        check()
        for _ in range(deliveries):
            link.step()
            check()
    link.run()
    check()
    link.tick(2 * ROUND_EVERY_MS)
    link.run()
    assert all(side.says_same() for side in sides)


@pytest.mark.parametrize("eager", [False, True])
def test_a_confirmed_record_makes_the_copies_the_same_again_without_an_opening(eager: bool) -> None:
    shelves = Shelf(), Shelf()
    for one in shelves:
        one.put(door())
    link = Link(*shelves, eager=(eager, eager))
    link.run()
    side = Watched(link.dialler, shelves[0])
    openings = len(link.dialler.told(Completed))
    side.write(3, link.clock.now_ms, tell=True)
    assert not side.says_same()
    while link.step():
        pass
    assert side.says_same() and len(link.dialler.told(Completed)) == openings


def test_what_a_peer_refuses_stays_owed_until_the_next_opening_tells_why() -> None:
    shelves = Shelf(), Shelf()
    for one in shelves:
        one.put(door())
    link = Link(*shelves, eager=(False, True))
    link.run()
    side = Watched(link.dialler, shelves[0])
    shelves[1].paused = True
    side.write(3, link.clock.now_ms, tell=True)
    while link.step():
        pass
    assert not side.says_same()
    link.tick(2 * ROUND_EVERY_MS)
    link.run()
    assert link.dialler.told(Completed)[-1] == Completed(COMMONS, 1, (("paused", 1),))


def test_owed_ids_are_bounded_and_more_is_owed_until_proved() -> None:
    owed = Owed()
    owed.add(number.to_bytes(32, "big") for number in range(GOSSIP_IDS_MAX + 1))
    assert owed.count == 1
    owed.settle(number.to_bytes(32, "big") for number in range(GOSSIP_IDS_MAX + 1))
    assert owed.count == 1, "too many to remember: only a proof frees"
    owed.opened()
    owed.add([bytes(32)])
    owed.proved()
    assert owed.count == 1, "it came behind the opening"
    owed.settle([bytes(32)])
    assert owed.count == 0
