"""News: told once, asked for once, bounded, and never needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.shelf import COMMONS, Shelf, records_of
from simulation.world import Link

from p2pcommons.core.limits import CLAIM_MS, GOSSIP_IDS_MAX, NEWS_IDS_MAX
from p2pcommons.sync.events import RecordsReceived, SessionEnded
from p2pcommons.sync.gossip import Claims, Growth, Known
from p2pcommons.sync.message import Eager, News, Packs, Want, decode_message, encode_message
from p2pcommons.sync.session import FEATURES

IDS = [number.to_bytes(32, "big") for number in range(GOSSIP_IDS_MAX + 10)]


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


def test_one_body_is_asked_of_one_neighbour_at_a_time() -> None:
    claims = Claims()
    assert claims.claim(IDS[:3], 1000) == IDS[:3]
    assert claims.claim(IDS[:4], 1001) == [IDS[3]]
    assert claims.claim(IDS[:3], 1000 + CLAIM_MS) == IDS[:3]


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
        ids = tuple((start * NEWS_IDS_MAX + n).to_bytes(32, "big") for n in range(NEWS_IDS_MAX))
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


@pytest.mark.parametrize("message", [News(0, 1, (IDS[0],)), Eager(0, True)], ids=["news", "eager"])
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
