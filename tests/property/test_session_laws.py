"""Laws of sessions, over the control library: any sets, any grouping, any bytes."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.shelf import COMMONS, Shelf, records_of
from simulation.world import Chooser, Link

from p2pcommons.core.limits import AHEAD_MS_MAX, NAMES_MIN
from p2pcommons.core.seal import Sealed
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.events import Completed, SessionEnded
from p2pcommons.sync.message import decode_message, encode_message
from p2pcommons.sync.session import State

PEOPLE = ("alice", "bob", "carol", "dora")
WORKS = 40
DELIVERIES_MAX = 200  # frames that any two of these sets may need


@cache
def joins() -> tuple[Sealed, ...]:
    """Each person's door, each in the past of the next one."""
    made: list[Sealed] = []
    for number, person in enumerate(PEOPLE):
        made += records_of(person, 0, [number], prev=[made[-1].record.id] if made else [])
    return tuple(made)


@cache
def works(person: str) -> tuple[Sealed, ...]:
    return tuple(records_of(person, 1, range(WORKS), tree=8))


shelf_contents = st.tuples(
    st.integers(0, len(PEOPLE)), st.lists(st.sets(st.integers(0, WORKS - 1)), min_size=4, max_size=4)
)
choices = st.lists(st.integers(0, 7), min_size=1, max_size=24)


def shelf(content: tuple[int, list[set[int]]]) -> Shelf:
    """A set as a node may have it: the first people's doors, and some works of each."""
    people, numbers = content
    made = Shelf()
    made.put(joins()[:people])
    for person, some in zip(PEOPLE[:people], numbers, strict=False):
        made.put(works(person)[number] for number in sorted(some))
    return made


def choose_by(numbers: list[int]) -> Chooser:
    at = -1

    def choose(below: int) -> int:
        nonlocal at
        at += 1
        return numbers[at % len(numbers)] % below

    return choose


def union(*shelves: Shelf) -> tuple[set[bytes], set[bytes]]:
    return (set().union(*(s.ids()[0] for s in shelves)), set().union(*(s.ids()[1] for s in shelves)))


@settings(deadline=None)
@given(shelf_contents, shelf_contents, choices)
def test_after_a_session_both_ends_hold_the_union_and_say_so(
    one: tuple[int, list[set[int]]], two: tuple[int, list[set[int]]], numbers: list[int]
) -> None:
    a, b = shelf(one), shelf(two)
    expected = union(a, b)
    link = Link(a, b, choose=choose_by(numbers)).run()
    assert a.ids() == b.ids() == expected
    for end in link.ends:
        assert end.told(Completed)[-1] == Completed(COMMONS, 0, ())
        assert end.session.state is State.ESTABLISHED
    assert link.deliveries < DELIVERIES_MAX


@settings(deadline=None, max_examples=40)
@given(shelf_contents, shelf_contents, choices)
def test_grouping_of_frames_never_changes_what_happens(
    one: tuple[int, list[set[int]]], two: tuple[int, list[set[int]]], numbers: list[int]
) -> None:
    outcomes = []
    for choose in (choose_by([0]), choose_by([1]), choose_by(numbers)):
        a, b = shelf(one), shelf(two)
        link = Link(a, b, choose=choose).run()
        outcomes.append((a.ids(), b.ids(), [end.told(Completed) for end in link.ends]))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@settings(deadline=None)
@given(shelf_contents, shelf_contents, choices, st.integers(0, 40))
def test_a_link_that_drops_anywhere_loses_nothing(
    one: tuple[int, list[set[int]]], two: tuple[int, list[set[int]]], numbers: list[int], drop: int
) -> None:
    a, b = shelf(one), shelf(two)
    before, expected = (a.ids(), b.ids()), union(a, b)
    link = Link(a, b, choose=choose_by(numbers)).run(deliveries=drop)
    for now, then in zip((a.ids(), b.ids()), before, strict=True):
        assert then[0] <= now[0] <= expected[0] and then[1] <= now[1] <= expected[1]
    Link(b, a, link.clock, choose=choose_by(numbers)).run()
    assert a.ids() == b.ids() == expected


@settings(deadline=None)
@given(
    shelf_contents, shelf_contents, choices, st.lists(st.tuples(st.integers(0, 1), st.integers(0, WORKS - 1))),
)  # fmt: skip
def test_what_is_written_during_a_session_arrives(
    one: tuple[int, list[set[int]]],
    two: tuple[int, list[set[int]]],
    numbers: list[int],
    writes: list[tuple[int, int]],
) -> None:
    shelves = shelf(one), shelf(two)
    link = Link(*shelves, choose=choose_by(numbers))
    for place, number in writes:
        link.step()
        people = len(shelves[place].ids()[0])
        if people:
            shelves[place].put([works(PEOPLE[number % people])[number]])
            link.changed()
    expected = union(*shelves)
    link.run()
    assert shelves[0].ids() == shelves[1].ids() == expected


@settings(deadline=None)
@given(shelf_contents, shelf_contents, choices, st.sets(st.integers(0, WORKS - 1), min_size=1), st.integers(0, 1))
def test_what_is_refused_is_left_out_and_counted_by_both(
    one: tuple[int, list[set[int]]],
    two: tuple[int, list[set[int]]],
    numbers: list[int],
    ahead: set[int],
    place: int,
) -> None:
    shelves = shelf(one), shelf(two)
    shelves[place].put(joins())
    expected = union(*shelves)
    early = records_of("dora", 1, sorted(ahead), ahead_ms=AHEAD_MS_MAX + 200_000)
    shelves[place].put(early)
    link = Link(*shelves, choose=choose_by(numbers)).run()
    ids = {sealed.record.id for sealed in early}
    assert shelves[1 - place].ids() == expected
    assert shelves[place].ids() == (expected[0], expected[1] | ids)
    for end in link.ends:
        assert end.told(Completed)[-1] == Completed(COMMONS, len(ids), (("later", len(ids)),))
    sent = [end.bytes for end in link.ends]
    link.tick(30_000)
    link.run()
    assert all(end.bytes - before < 200 for end, before in zip(link.ends, sent, strict=True)), "offered again"
    link.tick(AHEAD_MS_MAX + 300_000)
    for end in link.ends:  # that long a silence ends a session: the next one takes what was too early
        assert end.session.is_over
    Link(*shelves, link.clock).run()
    assert shelves[0].ids() == shelves[1].ids() == (expected[0], expected[1] | ids)


@settings(deadline=None, max_examples=300)
@given(st.data(), shelf_contents, shelf_contents)
def test_any_bytes_at_any_moment_give_events_or_an_ended_session(
    data: st.DataObject, one: tuple[int, list[set[int]]], two: tuple[int, list[set[int]]]
) -> None:
    a, b = shelf(one), shelf(two)
    link = Link(a, b)
    link.run(deliveries=data.draw(st.integers(0, 16)))
    for end in link.ends:
        end.flush()
    end = data.draw(st.sampled_from(link.ends))
    waiting = [frame for other in link.ends for frame in other.sent] or [b"\x91\x00"]
    for _ in range(data.draw(st.integers(1, 4))):
        frame = bytearray(data.draw(st.sampled_from(waiting) | st.binary(max_size=64)))
        for _ in range(data.draw(st.integers(0, 3))):
            if frame:
                frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        events = end.session.receive_data(bytes(frame), link.clock.now_ms)
        end.flush()
        ended = [event for event in events if isinstance(event, SessionEnded)]
        assert bool(ended) == (end.session.is_over and bool(events))
        assert end.session.is_over or end.session.next_deadline() is not None or not end.session.commons()


@settings(deadline=None, max_examples=300)
@given(
    st.binary(max_size=200)
    | st.lists(st.integers(0, 13) | st.binary(max_size=40) | st.none()).map(repr).map(str.encode)
)
def test_any_bytes_are_a_message_or_a_protocol_error(frame: bytes) -> None:
    try:
        message = decode_message(frame)
    except RemoteProtocolError:
        return
    assert encode_message(message) == frame or frame[1] == 0  # a hello may say more than is known


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, 60), max_size=40), st.sets(st.integers(0, 60), max_size=40))
def test_only_commons_that_both_follow_are_found(one: set[int], two: set[int]) -> None:
    def named(numbers: set[int]) -> list[bytes]:
        return [bytes([number]) * 32 for number in sorted(numbers)]

    link = Link(Shelf(named(one)), Shelf(named(two))).run()
    for end in link.ends:
        assert sorted(end.session.commons()) == named(one & two)
    assert max(NAMES_MIN, len(one)) <= link.dialler.bytes  # at least: nothing is told apart by its size below 8
