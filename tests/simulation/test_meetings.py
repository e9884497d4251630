"""Three nodes write and meet in pairs, over links that group and drop; every healthy session is checked at once."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from p2pcommons.sync.events import Completed, Differed, SessionEnded
from simulation.nodes import PEOPLE, Node, ReplicaNode, ShelfNode
from simulation.world import Clock, Link

NODES = {"shelf": ShelfNode, "replica": ReplicaNode}
DELIVERIES_MAX = 120  # frames of one meeting; repeated repair would show as more

places = st.integers(0, 2)
deeds = st.one_of(
    st.tuples(st.just("write"), places, st.integers(1, 30)),
    st.tuples(st.just("join"), places, st.just(0)),
    st.tuples(st.just("purge"), st.integers(1, 2), st.just(0)),
    st.tuples(st.just("meet"), places, st.integers(0, 2**32)),
    st.tuples(st.just("drop"), places, st.integers(0, 2**32)),
)


@pytest.mark.parametrize("kind", NODES)
@settings(deadline=None, max_examples=60)
@given(history=st.lists(deeds, max_size=24))
@example(history=[("meet", 0, 0), ("join", 1, 0), ("write", 1, 1), ("purge", 1, 0)])  # an entry without records left
@example(history=[("drop", 2, 6658), ("join", 2, 0)])  # a stream asked for from its very end
def test_after_every_healthy_session_no_difference_is_left(kind: str, history: list[tuple[str, int, int]]) -> None:
    clock = Clock()
    nodes: list[Node] = [NODES[kind](person) for person in PEOPLE]
    for name, place, number in [*history, ("meet", 0, 1), ("meet", 1, 1), ("meet", 2, 1), ("meet", 0, 1)]:
        clock.now_ms += 1000
        here, there = nodes[place], nodes[(place + 1 + number % 2) % 3]
        if name == "write":
            here.write(number, clock.now_ms)
        elif name == "join":
            here.join(clock.now_ms)
        elif name == "purge":
            nodes[0].purge(PEOPLE[place], clock.now_ms)
        else:
            meet(here, there, clock, number, drop=name == "drop")
    assert nodes[0].state() == nodes[1].state() == nodes[2].state()


def meet(here: Node, there: Node, clock: Clock, seed: int, *, drop: bool = False) -> None:
    """One session; unless the link drops, both hold what they should, and both know it."""
    dice = Random(seed)
    expected = here.should_hold(there)
    link = Link(here.library, there.library, clock, choose=lambda below: dice.randrange(below), names=("x", "y"))
    link.run(dice.randrange(30) if drop else None)
    assert not any(end.told(SessionEnded) or end.told(Differed) for end in link.ends)
    if drop:
        return
    assert here.sets() == expected
    assert there.sets() == expected
    assert here.state() == there.state()
    assert link.deliveries < DELIVERIES_MAX
    for end in link.ends:
        assert isinstance(end.told(Completed)[-1], Completed)


@pytest.mark.parametrize("kind", NODES)
@pytest.mark.parametrize("seed", range(6))
def test_news_travels_through_nodes_that_stay_in_session(kind: str, seed: int) -> None:
    dice = Random(seed)
    clock = Clock()
    nodes: list[Node] = [NODES[kind](person) for person in PEOPLE]
    links = [
        Link(nodes[a].library, nodes[b].library, clock, choose=lambda below: dice.randrange(below), names=(f"{a}", f"{b}"))
        for a, b in ((0, 1), (1, 2), (2, 0))
    ]  # fmt: skip
    settle(links, clock)
    for _ in range(8):
        node = dice.choice(nodes)
        deed: Callable[[], None] = dice.choice(
            [
                lambda node=node: node.join(clock.now_ms),
                lambda node=node: node.write(dice.randrange(1, 20), clock.now_ms),
            ]
        )
        deed()
        for _ in range(dice.randrange(6)):
            dice.choice(links).step()
            for link in links:
                link.changed()
    settle(links, clock)
    assert nodes[0].sets() == nodes[1].sets() == nodes[2].sets()
    assert nodes[0].state() == nodes[1].state() == nodes[2].state()
    assert nodes[0].sets()[0]


def settle(links: list[Link], clock: Clock) -> None:
    """Let links carry what there is until nothing is due for a while; nobody tells them twice."""
    for _ in range(200):
        before = sum(link.deliveries for link in links)
        for link in links:
            link.run()
            for other in links:
                other.changed()
        if sum(link.deliveries for link in links) == before:
            return
        clock.now_ms += 250
        for link in links:
            link.tick(0)
    raise AssertionError("three nodes never come to rest")
