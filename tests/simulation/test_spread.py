"""News among many nodes: about once to each, soon, whatever links and some of the nodes do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommons.core.limits import CLAIM_MS_FIRST, CLAIM_MS_MAX, GOSSIP_IDS_MAX, NEWS_IDS_MAX
from simulation.crowd import LINK_MS, Crowd, names, neighbours
from simulation.shelf import records_of
from simulation.town import FOUNDER, House, Town

SOON_MS = 30_000  # all that was told is asked for, and all claims have ended, long before that


def share(delays: Sequence[float], part: float) -> float:
    """When this part of the nodes had it."""
    return delays[round(part * (len(delays) - 1))]


def test_a_record_comes_to_a_thousand_nodes_about_once_and_soon() -> None:
    count, ids = 1000, names(7, 12)
    crowd = Crowd(count, neighbours(count, Random(7)), 7)
    for at, identifier in enumerate(ids):
        crowd.at(1000 * (at + 1), crowd.write, crowd.random.randrange(count), identifier)
    crowd.run(1000 * len(ids) + SOON_MS)
    for identifier in ids:
        delays = crowd.delays(identifier)
        assert len(delays) == count
        assert share(delays, 0.99) <= 10
    assert crowd.per_node(lambda found: found.bodies, ids) <= 1.1
    assert crowd.per_node(lambda found: found.ids, ids) <= 14


def test_over_few_links_a_record_comes_whole_all_the_way() -> None:
    count, ids = 14, names(3, 20)
    crowd = Crowd(count, [(a, a + 1) for a in range(count - 1)], 3, jitter=0.0)
    crowd.run(1000)
    for at, identifier in enumerate(ids):
        crowd.at(1000 * (at + 2), crowd.write, 0, identifier)
    crowd.run(1000 * (len(ids) + 2) + SOON_MS)
    assert [crowd.delays(identifier) for identifier in ids] == [[float(hop) for hop in range(count)]] * len(ids)
    assert crowd.per_node(lambda found: found.wants, ids) == 0


@pytest.mark.parametrize("seed", range(3))
def test_over_few_links_no_record_comes_more_often_than_there_are_links(seed: int) -> None:
    count, ids = 20, names(seed, 50)
    ring = [(a, (a + 1) % count) for a in range(count)]
    crowd = Crowd(count, [*ring, *((a, (a + 7) % count) for a in range(0, count, 2))], seed)
    for at, identifier in enumerate(ids):
        crowd.at(15 * (at + 1), crowd.write, crowd.random.randrange(count), identifier)
    crowd.run(SOON_MS)
    assert all(len(crowd.delays(identifier)) == count for identifier in ids)
    assert crowd.per_node(lambda found: found.bodies, ids) <= 2.2


@pytest.mark.parametrize("count", [20, 100])
def test_links_learn_what_comes_twice(count: int) -> None:
    links = neighbours(count, Random(count)) if count > 20 else [(a, b) for a in range(count) for b in range(a)]
    ids = names(count, 400 if count < 100 else 250)
    crowd = Crowd(count, links, count)
    for at, identifier in enumerate(ids):
        crowd.at(500 * (at + 1), crowd.write, crowd.random.randrange(count), identifier)
    crowd.run(500 * len(ids) + SOON_MS)
    assert crowd.per_node(lambda found: found.bodies, ids[-100:]) <= 1.1
    assert all(len(crowd.delays(identifier)) == count for identifier in ids)


def fast_times(crowd: Crowd, fast: Sequence[int], ids: Sequence[bytes]) -> Iterator[list[float]]:
    for identifier in ids:
        delays = crowd.delays(identifier, fast)
        assert len(delays) == len(fast)
        yield delays


@pytest.mark.parametrize("seed", range(3))
def test_a_slow_peer_slows_only_itself(seed: int) -> None:
    """Among the others a record is no later than in a world where the slow ones do not exist."""
    count, ids = 150, names(seed, 40)
    links = neighbours(count, Random(seed))
    slow = Random(seed).sample(range(count), 5)
    fast = [number for number in range(count) if number not in slow]
    with_slow, without = Crowd(count, links, seed, slow=slow), Crowd(count, links, seed)
    for number in slow:
        without.stop(number)
    for crowd in (with_slow, without):
        writers = Random(seed)
        for at, identifier in enumerate(ids):
            crowd.at(100 * (at + 1), crowd.write, writers.choice(fast), identifier)
        crowd.run(100 * len(ids) + 2 * SOON_MS)
    assert all(len(with_slow.delays(identifier)) == count for identifier in ids)
    for here, there in zip(fast_times(with_slow, fast, ids), fast_times(without, fast, ids), strict=True):
        assert share(here, 0.99) <= share(there, 0.99) + 3
        assert here[-1] <= there[-1] + 6


@pytest.mark.parametrize("seed", range(3))
def test_who_tells_and_never_gives_delays_a_record_by_one_claim_and_soon_by_none(seed: int) -> None:
    count, liars = 40, 8
    links = neighbours(count, Random(seed))
    crowd, honest = Crowd(count, links, seed), range(liars, count)
    for node in crowd.nodes[:liars]:
        node.gives = lambda identifier: False
    ids = names(seed, 60)
    for at, identifier in enumerate(ids):
        crowd.at(3 * CLAIM_MS_FIRST * (at + 1), crowd.write, crowd.random.choice(honest), identifier)
    crowd.run(3 * CLAIM_MS_FIRST * (len(ids) + 1))
    for times in fast_times(crowd, honest, ids):
        # Each liar on the way can be asked first, and is given up after one claim.
        assert times[-1] * LINK_MS <= liars * CLAIM_MS_FIRST + 30 * LINK_MS
    ends = [end for node in crowd.nodes[liars:] for end in node.ends]
    lied_to = [end for end in ends if end.peer.node.number < liars]
    assert {end.gossip.lag_ms > 0 for end in ends if end not in lied_to} == {False}
    assert sum(end.gossip.lag_ms > 0 for end in lied_to) > len(lied_to) / 2
    assert sum(end.unanswered for end in lied_to) <= 2 * len(lied_to), "liars are asked again and again"
    late = sum(times[-1] > 20 for times in fast_times(crowd, honest, ids))
    assert late <= len(lied_to)


def test_an_answer_without_the_record_costs_one_answer() -> None:
    crowd = Crowd(3, [(0, 1), (0, 2), (1, 2)], 1, jitter=0.0)
    (record,) = names(1, 1)
    crowd.nodes[2].finds = lambda identifier: False
    for end in crowd.nodes[0].ends:
        end.gossip.their_reach = 0
        end.peer.gossip.their_reach = 0
    crowd.run(1000)
    crowd.invent(2, record)  # it told before it could be there
    crowd.at(1010, crowd.write, 1, record)
    crowd.run(1000 + SOON_MS)
    assert crowd.delays(record, [0])[-1] * LINK_MS <= CLAIM_MS_FIRST + 4 * LINK_MS


def test_floods_of_invented_ids_are_bounded_and_keep_nobody_from_news() -> None:
    count = 30
    crowd = Crowd(count, neighbours(count, Random(5)), 5)
    ids = names(5, 20)
    for at, identifier in enumerate(ids):
        crowd.at(1000 * at + 500, crowd.write, 1 + at % (count - 1), identifier)
        crowd.at(1000 * at + 490, crowd.invent, 0, *names(1000 + at, NEWS_IDS_MAX))
    crowd.run(1000 * len(ids) + SOON_MS)
    for node in crowd.nodes[1:]:
        assert len(node.here) == len(ids)
        for end in node.ends:
            assert end.gossip.ids_kept <= NEWS_IDS_MAX
            assert len(end.gossip.known) <= GOSSIP_IDS_MAX
    for times in fast_times(crowd, range(1, count), ids):
        assert times[-1] <= 20


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "mute", "cut", "stop", "back", "invent", "part", "heal"]),
        st.integers(0, 2**16),
        st.sampled_from([0, 5, 20, 300, 2500]),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=120)
@given(DEEDS, st.integers(0, 2**32), st.integers(0, 3))
def test_equal_sets_after_loss_partition_and_return_within_one_opening_of_each_link(
    deeds: list[tuple[str, int, int]], seed: int, liars: int
) -> None:
    """Messages come in any order across links, links break unnoticed, nodes go and come back, parts are cut off.

    When each link was opened once more, what remains to be told takes as long as its way, and the claims on it.
    """
    random = Random(seed)
    count = 9
    honest = count - liars  # who hang together without the liars, each of whom knows one of them
    links = set(neighbours(count, random, 2, 4)) | {(n - 1 if n < honest else 0, n) for n in range(1, count)}
    crowd = Crowd(count, sorted(links), seed, jitter=0.9)
    for node in crowd.nodes[honest:]:
        node.finds = lambda identifier: identifier[0] % 2 == 0  # not all that it told
    written = names(seed, len(deeds))
    for (deed, number, pass_ms), identifier in zip(deeds, written, strict=True):
        ends = [end for node in crowd.nodes for end in node.ends]
        end = ends[number % len(ends)] if ends else None
        if deed == "write":
            crowd.write(number % honest, identifier)
        elif deed == "invent":
            crowd.invent(number % count, *names(2**40 + number, 3))
        elif deed == "mute" and end is not None:
            crowd.mute(end)
        elif deed == "cut" and end is not None:
            crowd.cut(end)
        elif deed == "stop":
            crowd.stop(number % count)
        elif deed == "part":
            for one in [e for e in ends if (e.node.number < 4) != (e.peer.node.number < 4)]:
                if one.up:
                    crowd.mute(one)
        elif deed in ("back", "heal"):
            mend(crowd, links)
        crowd.run(crowd.now_ms + pass_ms)
    mend(crowd, links)
    crowd.run(crowd.now_ms + 2 * count * (4 * 2 * LINK_MS + CLAIM_MS_MAX))
    everything = set(crowd.written)
    assert all(node.here.keys() == everything for node in crowd.nodes)
    assert all(end.gossip.due_ms is None for node in crowd.nodes for end in node.ends)


def mend(crowd: Crowd, links: set[tuple[int, int]]) -> None:
    """What does not work is noticed, and all links are there again, each with its opening."""
    for end in [end for node in crowd.nodes for end in node.ends]:
        if end.up and end.mute:
            crowd.cut(end)
    there = {(end.node.number, end.peer.node.number) for node in crowd.nodes for end in node.ends}
    for a, b in sorted(links - there):
        crowd.connect(a, b)


def test_whole_sessions_spread_what_is_new_as_the_crowd_does() -> None:
    """With frames, openings, windows and seals: about once to each, soon, and without a single violation."""
    count = 25
    town = Town(count, neighbours(count, Random(3)), 3)
    town.run(65_000)  # all have met, and compared their sets once more
    made = records_of(FOUNDER, 1, range(120), tree=1)
    before = town.count()[0]
    for at, record in enumerate(made):
        if at == len(made) // 2:
            before = town.count()[0]
        town.write(town.random.randrange(count), record)
        town.run(1000 / 68)
    town.run(2000)
    assert not town.ended
    for record in made:
        delays = town.delays(record.record.id)
        assert len(delays) == count and delays[-1] <= 12
    assert (town.count()[0] - before) / count / (len(made) // 2) <= 1.2  # and some that were under way before


@pytest.mark.parametrize("seed", range(12))
def test_whole_sessions_are_equal_soon_after_a_partition_heals(seed: int) -> None:
    count, delays = 12, 30
    links = sorted(set(neighbours(count, Random(seed), 2, 4)) | {(n - 1, n) for n in range(1, count)})
    town = Town(count, links, seed)
    town.run(65_000)
    for end in [end for house in town.houses for end in house.ends]:
        if end.up and (end.house.number < 5) != (end.peer.house.number < 5):
            town.cut(end)
    for record in records_of(FOUNDER, 1, range(30), tree=1):
        town.write(town.random.randrange(count), record)
        town.run(30)
    town.run(1000)
    parts = {frozenset(house.here) for house in town.houses}
    assert len(parts) == 2
    for a, b in links:
        if (a < 5) != (b < 5):
            town.connect(a, b)
    town.run(delays * LINK_MS)
    assert {frozenset(house.here) for house in town.houses} == {frozenset(town.written)}
    assert not town.ended


def back_among(count: int, *, liars: Sequence[int] = (), silent: bool = False) -> tuple[Town, House]:
    """A town in which all know all; node 0 comes back, and dials everybody at once.

    `liars` have lost all bodies, or (`silent`) never answer.
    """
    town = Town(count, [(a, b) for b in range(count) for a in range(b)], 1, jitter=0.1)
    town.run(65_000)
    home, made = town.houses[0], records_of(FOUNDER, 1, range(60), tree=1)
    for record in made[:20]:
        town.write(0, record)
    town.run(CLAIM_MS_MAX)
    for end in list(home.ends):
        town.cut(end)
    for record in made[20:]:
        town.write(town.random.randrange(1, count), record)
        town.run(30)
    town.run(CLAIM_MS_MAX)
    for number in liars:
        if silent:
            town.deaf.add(number)
        else:
            town.houses[number].lost |= set(town.written)
    home.bodies = 0
    for number in (*liars, *(n for n in range(1, count) if n not in liars)):
        town.connect(0, number)
        town.run(2)
    return town, home


def test_who_comes_back_to_many_neighbours_gets_what_it_missed_about_once() -> None:
    town, home = back_among(7)
    town.run(20 * LINK_MS)
    assert home.here.keys() == set(town.written)
    assert home.bodies <= 1.1 * 40
    town.run(SOON_MS)
    assert not town.ended


@pytest.mark.parametrize("silent", [False, True])
def test_what_the_first_one_asked_does_not_give_is_had_from_the_next(silent: bool) -> None:
    town, home = back_among(4, liars=[1], silent=silent)
    town.run(2 * CLAIM_MS_FIRST)
    assert home.here.keys() == set(town.written)
    assert not town.ended


def test_a_want_that_is_settled_without_the_record_holds_nobody_up() -> None:
    town = Town(3, [(0, 1), (0, 2)], 1)
    town.run(65_000)
    (record,) = records_of(FOUNDER, 1, [1], tree=1)
    town.houses[1].lost.add(record.record.id)
    town.write(1, record, far=True)  # it is told by its id, and asked for
    town.run(10 * LINK_MS)
    assert not town.houses[0].here
    town.write(2, record, far=True)
    town.run(10 * LINK_MS)
    assert record.record.id in town.houses[0].here


def test_while_records_come_all_the_time_links_do_not_open_all_the_time() -> None:
    town = Town(3, [(0, 1), (1, 2)], 1)
    town.run(65_000)
    made = records_of(FOUNDER, 1, range(600), tree=1)
    for at, record in enumerate(made):
        if at == 200:  # its openings cross what is under way
            town.connect(0, 2)
            opened = town.frames[4]
        town.write(at % 3, record)
        town.run(5)
    assert 2 <= town.frames[4] - opened <= 16
    town.run(5_000)
    assert {frozenset(house.here) for house in town.houses} == {frozenset(town.written)} and not town.ended
