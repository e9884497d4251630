"""News: told once, asked for once, bounded, and never needed."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.shelf import COMMONS, Shelf, records_of
from simulation.world import Link

from p2pcommons.core.limits import (
    CLAIM_MS_FIRST,
    CLAIM_MS_MAX,
    CLAIM_MS_MIN,
    GOSSIP_IDS_MAX,
    HOPS_MAX,
    NEWS_IDS_MAX,
)
from p2pcommons.sync.events import RecordsReceived, SessionEnded
from p2pcommons.sync.gossip import REACH_FIRST, Gossip, Growth, Known, Telling
from p2pcommons.sync.message import Eager, News, Packs, Want, decode_message, encode_message
from p2pcommons.sync.session import FEATURES
from p2pcommons.sync.spread import FAR, FEW_LINKS, Spread

IDS = [number.to_bytes(32, "little") for number in range(GOSSIP_IDS_MAX + 10)]


@given(st.lists(st.sampled_from(IDS[:20])), st.lists(st.sampled_from(IDS[:20])))
def test_what_a_peer_has_is_not_told_to_it(first: list[bytes], second: list[bytes]) -> None:
    known = Known()
    known.add(first)
    assert known.unknown(second) == [identifier for identifier in second if identifier not in first]
    assert known.unknown(second, refused=second) == []


def test_the_oldest_is_forgotten_first() -> None:
    known = Known()
    known.add(IDS[:GOSSIP_IDS_MAX])
    known.add([IDS[0], IDS[-1]])
    assert known.unknown([IDS[0], IDS[1], IDS[2], IDS[-1]]) == [IDS[1]]


A, B, C = IDS[:3]
NOW = 5_000


def ends(number: int, *, reach: int = 0, others: int = 8) -> tuple[Spread, list[Gossip]]:
    """One node's ends of so many links, and `others` of which nothing comes; `reach`: what the peers have asked for."""
    spread = Spread()
    made = [Gossip(spread) for _ in range(number + others)][:number]
    for gossip in made:
        gossip.their_reach = reach
    return spread, made


def test_one_body_is_asked_of_one_neighbour_at_a_time() -> None:
    _, (one, two) = ends(2)
    assert one.hear(1, [A, B], NOW) == [A, B]
    assert two.hear(1, [A, B, C], NOW + 1) == [C]
    assert one.hear(1, [A, C], NOW + 2) == []


def test_what_one_neighbour_told_and_does_not_give_is_asked_of_the_next_who_told() -> None:
    _, (one, two) = ends(2)
    one.hear(1, [A], NOW)
    two.hear(1, [A], NOW + 1)
    assert two.due_ms == NOW + CLAIM_MS_FIRST
    assert two.again(NOW + CLAIM_MS_FIRST) == [(1, [A])]
    assert two.hear(1, [A], NOW + CLAIM_MS_FIRST) == [A]
    assert one.again(NOW + CLAIM_MS_FIRST) == []
    assert one.lag_ms > 0 and two.lag_ms == 0


def test_what_came_is_not_looked_at_again() -> None:
    _, (one, two) = ends(2)
    one.hear(1, [A], NOW)
    two.hear(1, [A], NOW + 1)
    one.came([A], {}, 1, None, NOW + 40)
    assert two.again(NOW + CLAIM_MS_FIRST) == [] and two.due_ms is None
    assert one.again(NOW + CLAIM_MS_FIRST) == [] and one.due_ms is None and one.lag_ms == 0


def test_an_answer_without_the_record_frees_it_at_once() -> None:
    _, (one, two) = ends(2)
    one.hear(1, [A], NOW)
    one.settled(1)
    assert two.hear(1, [A], NOW + 1) == [A]
    assert one.lag_ms > 0


def test_a_link_that_is_lost_frees_what_was_asked_over_it() -> None:
    _, (one, two) = ends(2)
    one.hear(1, [A], NOW)
    one.close()
    assert two.hear(1, [A], NOW + 1) == [A]


def test_who_told_and_did_not_give_is_asked_after_the_others() -> None:
    _, (one, two) = ends(2)
    one.hear(1, [A], NOW)
    one.again(NOW + CLAIM_MS_FIRST)
    later = NOW + 10 * CLAIM_MS_FIRST
    assert one.hear(1, [B], later) == []
    assert two.hear(1, [B], later + 30) == [B]
    assert one.hear(1, [C], later) == []  # and where nobody else tells, it is asked after all
    assert one.again(later + one.lag_ms) == [(1, [B, C])]
    assert one.hear(1, [C], later + one.lag_ms) == [C]


def test_trust_comes_back_with_what_is_given() -> None:
    _, (one,) = ends(1)
    one.hear(1, [A], NOW)
    one.again(NOW + CLAIM_MS_FIRST)
    now_ms = NOW + CLAIM_MS_FIRST
    for identifier in IDS[3:13]:  # a few are enough: who is busy is late, and no liar
        if not one.hear(1, [identifier], now_ms):
            now_ms += one.lag_ms
            one.again(now_ms)
            one.hear(1, [identifier], now_ms)
        one.came([identifier], {}, 1, None, now_ms + 40)
    assert one.lag_ms == 0


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=30))
def test_patience_follows_the_neighbour_within_its_bounds(answers_ms: list[int]) -> None:
    _, (one, two) = ends(2)
    now_ms = NOW
    for identifier, took_ms in zip(IDS, answers_ms, strict=False):
        now_ms += 100_000
        if not one.hear(1, [identifier], now_ms):
            now_ms += one.lag_ms
            one.again(now_ms)
            one.hear(1, [identifier], now_ms)
        one.again(now_ms + took_ms)
        one.came([identifier], {}, 1, None, now_ms + took_ms)
    now_ms += 100_000
    assert one.hear(1, [IDS[100]], now_ms) or one.lag_ms
    now_ms += one.lag_ms
    one.again(now_ms)
    one.hear(1, [IDS[100]], now_ms)
    two.hear(1, [IDS[100]], now_ms)
    assert two.due_ms is not None and CLAIM_MS_MIN <= two.due_ms - now_ms <= CLAIM_MS_MAX
    if min(answers_ms) == max(answers_ms) and len(answers_ms) > 20:
        assert two.due_ms - now_ms <= max(CLAIM_MS_MIN, 2 * answers_ms[0] + 1)


def test_what_authors_wrote_goes_whole_as_far_as_the_peer_asked() -> None:
    spread, (one, *_) = ends(3, reach=2)
    spread.wrote([A], NOW)
    one.came([B], {}, 1, 0, NOW)  # its author's node gave it
    one.came([C], {}, 1, 1, NOW)
    other = Gossip(spread)
    other.their_reach = 2
    assert other.tell([A, B, C, IDS[3]]) == [Telling(0, [A]), Telling(1, [B]), Telling(None, [C, IDS[3]])]
    assert other.tell([A, B, C, IDS[3]]) == []


def test_hops_are_counted_no_further_than_they_can_be_told() -> None:
    spread, (one,) = ends(1, reach=HOPS_MAX)
    one.came([A], {}, 1, HOPS_MAX, NOW)
    assert spread.hops(A) == FAR
    other = Gossip(spread)
    other.their_reach = HOPS_MAX
    assert other.tell([A]) == [Telling(None, [A])]


def test_records_that_come_twice_are_asked_for_whole_no_more() -> None:
    _, (one,) = ends(1)
    assert one.reach == REACH_FIRST and one.reach_to_tell() is None
    for _ in range(10):
        one.came([], {}, 1, 1, NOW)
    assert one.reach == one.reach_to_tell() == 0 and one.reach_to_tell() is None
    assert one.reach_asked == REACH_FIRST, "what is on its way was asked for"


def test_who_has_few_neighbours_has_all_of_it_whole_and_nobody_else() -> None:
    spread, links = ends(FEW_LINKS, others=0)
    for gossip in links:
        assert gossip.reach == gossip.reach_to_tell() == HOPS_MAX
    links[0].came(IDS[:10], {}, 20, HOPS_MAX - 1, NOW)
    assert links[3].reach == HOPS_MAX, "as many came again as were new"
    more = Gossip(spread)
    assert {gossip.reach_to_tell() for gossip in links} == {REACH_FIRST} and more.reach_to_tell() is None
    more.close()
    more.close()
    assert {gossip.reach_to_tell() for gossip in links} == {HOPS_MAX}
    assert Gossip(Spread(), eager=False).reach == 0


def test_a_refused_record_did_not_come_twice() -> None:
    _, (one,) = ends(1)
    for _ in range(10):
        one.came([], {A: "not_admitted"}, 1, 1, NOW)
    assert one.reach == REACH_FIRST


def test_a_neighbour_that_tells_first_is_asked_for_more_whole() -> None:
    _, (one,) = ends(1)
    for at, identifier in enumerate(IDS[:1000]):
        one.hear(1, [identifier], NOW + 100 * at)
        one.came([identifier], {}, 1, None, NOW + 100 * at + 40)
    assert REACH_FIRST < one.reach <= HOPS_MAX


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=400), st.integers(0, 2**32))
def test_few_records_come_twice_whatever_neighbours_do(given: list[tuple[int, bool]], seed: int) -> None:
    """What comes whole unasked is bounded by what is new: each end beyond the allowance lowers what it asks for."""
    _, links = ends(4)
    random = Random(seed)
    new = twice = 0
    for (place, is_new), identifier in zip(given, IDS, strict=False):
        gossip = links[place]
        gossip.reach_to_tell()
        if is_new:
            new += 1
            if gossip.hear(1, [identifier], NOW):
                gossip.came([identifier], {}, 1, None, NOW)
        elif gossip.reach:  # nothing comes whole where it is not asked for
            twice += 1
            gossip.came([], {}, 1, random.randrange(gossip.reach), NOW)
    assert twice <= len(links) * (REACH_FIRST + 1) + new / 16


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 3000)), max_size=30))
def test_what_is_remembered_of_neighbours_is_bounded(floods: list[tuple[int, int, int]]) -> None:
    _, links = ends(3)
    now_ms = NOW
    for place, start, pass_ms in floods:
        gossip = links[place]
        asked = gossip.hear(1, [(start * 1000 + n).to_bytes(32, "little") for n in range(1000)], now_ms)
        assert len(asked) <= NEWS_IDS_MAX and gossip.ids_kept <= NEWS_IDS_MAX
        now_ms += pass_ms
        for plane, ids in gossip.again(now_ms):
            gossip.hear(plane, ids, now_ms)
        assert gossip.ids_kept <= NEWS_IDS_MAX
        assert gossip.due_ms is None or gossip.due_ms > now_ms


def met(*, eager: bool = False, live: bool = True) -> tuple[Link, Shelf, Shelf]:
    """Two nodes with the same records, in session and at rest; `eager`: the listener has news come whole.

    `live`: whether the dialler names the feature.
    """
    one, two = Shelf(), Shelf()
    for shelf in (one, two):
        shelf.put(records_of("alice", 0, [0]))
    link = Link(one, two, eager=(False, eager), features=(FEATURES if live else (), FEATURES))
    link.run()
    return link, one, two


def grow(shelf: Shelf, number: int) -> list[tuple[int, bytes]]:
    records = records_of("alice", 1, [number])
    shelf.put(records)
    return [(1, sealed.record.id) for sealed in records]


def sent(link: Link, end: int) -> list[object]:
    link.ends[end].flush()
    return [decode_message(frame) for frame in link.ends[end].sent]


def test_news_goes_by_id_and_brings_the_record_without_an_opening() -> None:
    link, one, two = met()
    ids = grow(one, 1)
    teller = link.ends[0]
    teller.events += teller.session.local_change(link.clock.now_ms, [(COMMONS, Growth(one.numbers[COMMONS], ids))])
    told = sent(link, 0)
    assert [type(message) for message in told] == [News]
    frames = link.ends[1].frames
    link.run()
    assert one.ids() == two.ids()
    assert link.ends[1].told(RecordsReceived)
    assert link.ends[1].frames - frames <= 2  # a want and a confirmation: nobody opened


def test_an_eager_peer_gets_it_whole() -> None:
    link, one, two = met(eager=True)
    teller = link.ends[0]
    ids = grow(one, 1)
    teller.session.local_change(link.clock.now_ms, [(COMMONS, Growth(one.numbers[COMMONS], ids))])
    assert [type(message) for message in sent(link, 0)] == [Packs]
    link.run()
    assert one.ids() == two.ids()


def test_a_step_that_was_missed_makes_an_opening_due() -> None:
    link, one, _ = met()
    grow(one, 1)
    ids = grow(one, 2)
    teller = link.ends[0]
    teller.session.local_change(link.clock.now_ms, [(COMMONS, Growth(one.numbers[COMMONS], ids))])
    assert not any(isinstance(message, News) for message in sent(link, 0))
    link.run()
    assert one.ids() == link.ends[1].library.ids()  # type: ignore[attr-defined]


def test_invented_news_costs_a_bounded_number_of_wants() -> None:
    link, _, _ = met()
    hearer = link.ends[1]
    for start in range(40):
        ids = tuple((start * NEWS_IDS_MAX + n).to_bytes(32, "little") for n in range(NEWS_IDS_MAX))
        hearer.events += hearer.session.receive_data(encode_message(News(0, 1, ids)), link.clock.now_ms)
    asked = sum(len(message.ids) for message in sent(link, 1) if isinstance(message, Want))
    assert asked <= 16 * NEWS_IDS_MAX + NEWS_IDS_MAX
    assert not hearer.told(SessionEnded)


def test_an_opening_still_finds_what_no_news_told() -> None:
    link, one, two = met()
    grow(one, 1)
    link.ends[0].session.local_change(link.clock.now_ms)
    opened = link.ends[0].frames
    link.run()
    assert one.ids() == two.ids()
    assert link.ends[0].frames > opened


@pytest.mark.parametrize("message", [News(0, 1, (IDS[0],)), Eager(0, 1)], ids=["news", "eager"])
def test_news_without_the_feature_ends_the_session(message: News | Eager) -> None:
    link, _, _ = met(live=False)
    hearer = link.ends[1]
    hearer.events += hearer.session.receive_data(encode_message(message), link.clock.now_ms)
    assert [event.code for event in hearer.told(SessionEnded)] == ["unexpected_message"]  # type: ignore[attr-defined]


def test_a_peer_without_the_feature_is_told_by_openings() -> None:
    link, one, two = met(live=False)
    ids = grow(two, 1)
    teller = link.ends[1]
    teller.session.local_change(link.clock.now_ms, [(COMMONS, Growth(two.numbers[COMMONS], ids))])
    assert not any(isinstance(message, News) for message in sent(link, 1))
    link.run()
    assert one.ids() == two.ids()


def test_what_an_opening_found_is_asked_of_one_neighbour_at_a_time() -> None:
    """By ids, or by how they begin; where one gives, the others wait for as long as it does."""
    _, (one, two) = ends(2)
    assert one.seek(1, [A, B[:8]], NOW) == [A, B[:8]]
    assert two.seek(1, [A[:8], B, C], NOW + 1) == [C]
    one.came([A], {}, 1, None, NOW + 900)
    assert two.seek(1, [B], NOW + 1100) == [] and two.hear(1, [B], NOW + 1100) == []
    one.settled(1)
    assert two.seek(1, [B], NOW + 1200) == [B]
    two.close()
    assert one.seek(1, [B], NOW + 1300) == [B]


def test_what_was_told_a_moment_ago_is_left_to_the_news() -> None:
    spread, (one, two) = ends(2)
    spread.wrote([A, B], NOW)
    one.tell([A])
    two.known.add([B])
    assert one.untold([A, B], NOW + 1) == [B]
    assert two.untold([A, B], NOW + 1) == [A]
    assert one.untold([A, B], NOW + CLAIM_MS_MAX) == [A, B], "perhaps it did not listen"


def test_a_record_that_two_bring_at_once_narrows_what_is_asked_for_whole() -> None:
    _, (one, two) = ends(2)
    for identifier in IDS[:10]:
        assert one.hear(1, [identifier], NOW) == [identifier]
        two.came([identifier], {}, 1, 1, NOW + 1)
    assert two.reach == 0 and one.reach == REACH_FIRST


def frame_of(shelf: Shelf, number: int, hops: int) -> bytes:
    """A new record whole, as who has it would send it."""
    (sealed,) = records_of("alice", 1, [number])
    shelf.put([sealed])
    packs, _ = shelf.packs(COMMONS, 1, [sealed.record.id], 10**6)
    return encode_message(Packs(0, 1, 0, None, packs, hops))


def test_whole_records_may_come_at_any_time_within_the_reach_that_was_asked() -> None:
    link, one, two = met(eager=True)
    hearer = link.ends[1]
    hearer.events += hearer.session.receive_data(frame_of(one, 1, HOPS_MAX - 1), link.clock.now_ms)
    assert not hearer.told(SessionEnded) and one.ids() == two.ids()
    hearer.events += hearer.session.receive_data(frame_of(one, 2, HOPS_MAX), link.clock.now_ms)
    assert [event.code for event in hearer.told(SessionEnded)] == ["unexpected_message"]  # type: ignore[attr-defined]


def test_whole_records_without_the_feature_end_the_session() -> None:
    link, one, _ = met(live=False)
    hearer = link.ends[1]
    hearer.events += hearer.session.receive_data(frame_of(one, 1, 0), link.clock.now_ms)
    assert [event.code for event in hearer.told(SessionEnded)] == ["unexpected_message"]  # type: ignore[attr-defined]


def test_a_peer_that_does_not_read_is_told_by_an_opening_in_the_end() -> None:
    link, one, two = met(eager=True)
    teller, told = link.ends[0], 0
    for number in range(1, 2 * GOSSIP_IDS_MAX // 1000):
        records = records_of("alice", 1, range(1000 * number, 1000 * (number + 1)), tree=1000)
        one.put(records)
        growth = Growth(one.numbers[COMMONS], [(1, sealed.record.id) for sealed in records], len(records))
        teller.session.local_change(link.clock.now_ms, [(COMMONS, growth)])
        told += 1
    assert told * 1000 > GOSSIP_IDS_MAX
    (exchange,) = teller.session._exchanges.values()
    assert exchange.supply.new_waiting <= GOSSIP_IDS_MAX + 1000
    link.run()
    assert one.ids() == two.ids()


def test_a_clock_that_is_set_back_keeps_nothing_back() -> None:
    spread, (one, two) = ends(2)
    spread.wrote([A], NOW + 3_600_000)
    one.tell([A])
    one.hear(1, [B], NOW + 3_600_000)
    assert one.untold([A], NOW + 3_600_000) == []
    assert one.untold([A], NOW) == [A]
    assert two.hear(1, [B], NOW) == [B]
    assert not spread.is_sought(C, NOW)


def test_what_came_is_sought_no_more() -> None:
    spread, (one, two) = ends(2)
    one.hear(1, [A], NOW)
    assert spread.is_sought(A, NOW + 1)
    two.came([A], {}, 1, None, NOW + 1)
    assert not spread.is_sought(A, NOW + 1) and spread.is_here(A)


def test_over_few_links_too_no_more_comes_twice_than_is_new() -> None:
    _, links = ends(3, others=0)

    def whole() -> list[bool]:
        return [gossip.reach == HOPS_MAX for gossip in links]

    links[0].came(IDS[:20], {}, 20, 1, NOW)
    links[1].came([], {}, 21, 1, NOW)
    assert whole() == [True, False, True], "the one that brings too much again"
    links[0].came(IDS[20:30], {}, 10, None, NOW)
    links[2].came([], {}, 11, 1, NOW)
    assert whole() == [True, False, False]
    links[0].came([], {}, 1, 1, NOW)
    assert whole() == [True, False, False], "what no other brings comes over the last one"


def test_a_link_that_is_spared_is_asked_later_and_whole_again_once_it_was_first() -> None:
    _, (one, two) = ends(2, others=0)
    two.came([], {}, 1, 1, NOW)
    assert two.reach < one.reach == HOPS_MAX
    assert two.hear(1, [A], NOW) == [], "it is likely to come whole from the other"
    due_ms = two.due_ms
    assert due_ms is not None and two.again(due_ms) == [(1, [A])] and two.hear(1, [A], due_ms) == [A]
    two.came([A], {}, 1, None, due_ms)
    assert two.reach == HOPS_MAX and two.hear(1, [B], due_ms) == [B]


def test_what_came_twice_over_many_links_is_held_against_none_when_few_are_left() -> None:
    _, links = ends(FEW_LINKS + 1, others=0)
    for _ in range(50):
        links[1].came([], {}, 9, 0, NOW)
    links[0].close()
    links[2].came([A], {}, 1, 0, NOW)
    assert {gossip.reach for gossip in links[1:]} == {HOPS_MAX}


def test_a_neighbour_that_leaves_makes_all_links_whole() -> None:
    _, (one, two, three) = ends(3, others=0)
    two.came([], {}, 1, 1, NOW)
    assert two.reach < HOPS_MAX
    one.close()
    assert two.reach == three.reach == HOPS_MAX


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 9)), max_size=300))
def test_whatever_comes_over_few_links_more_than_is_new_comes_again_once_for_each_link(
    given: list[tuple[int, int, int]],
) -> None:
    """While no link is first with what others bring whole, nothing is forgiven but one frame for each."""
    _, links = ends(FEW_LINKS, others=0)
    at = new = twice = 0
    for place, fresh, again in given:
        again = again if links[place].reach == HOPS_MAX else 0
        links[place].came(IDS[at : at + fresh], {}, fresh + again, 1, NOW)
        at, new, twice = at + fresh, new + fresh, twice + again
        whole = sum(gossip.reach == HOPS_MAX for gossip in links)
        assert whole == 1 or twice <= new + 9 * (FEW_LINKS - 1)
