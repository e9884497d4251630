"""Laws of finding what differs in a session: any sets, with the sketch or without, and peers that lie about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulation.shelf import COMMONS, NOW_MS, Shelf, key_of, records_of
from simulation.world import CHANNEL, NO_SKETCH, Link, dice

from p2pcommons.core.record import CommonsId
from p2pcommons.core.seal import Sealed
from p2pcommons.sync import message as m
from p2pcommons.sync import peeling, sketch
from p2pcommons.sync.choice import Method, Reason, Situation, choose, table
from p2pcommons.sync.events import Compared, Completed, SessionEnded
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.session import FEATURES, Session
from p2pcommons.sync.sketch import SYMBOL_BYTES, Sketch

WORKS = 300
DOOR = records_of("alice", 0, [0])

some = st.sets(st.integers(0, WORKS - 1), max_size=WORKS)
few = st.sets(st.integers(0, WORKS - 1), max_size=12)
known = st.tuples(st.sampled_from([FEATURES, NO_SKETCH]), st.sampled_from([FEATURES, NO_SKETCH]))


@cache
def works() -> tuple[Sealed, ...]:
    return tuple(records_of("alice", 1, range(WORKS)))


def shelf(numbers: set[int]) -> Shelf:
    made = Shelf()
    made.put(DOOR)
    made.put(works()[number] for number in sorted(numbers))
    return made


def methods(link: Link) -> list[list[tuple[Method, Reason]]]:
    return [[(one.method, one.reason) for one in end.told(Compared)] for end in link.ends]  # type: ignore[attr-defined]


def finding_bytes(link: Link) -> int:
    return sum(map(len, link.carried))


class Counted(Link):
    """A link that keeps the frames which find what differs."""

    def __init__(self, *given: Any, **more: Any) -> None:
        self.carried: list[bytes] = []
        super().__init__(*given, **more)

    def step(self) -> bool:
        for end in self.ends:
            before = len(end.sent)
            end.flush()
            for frame in list(end.sent)[before:]:
                if isinstance(m.decode_message(frame), m.Symbols | m.More | m.Want | m.Range):
                    self.carried.append(frame)
        return super().step()


@settings(deadline=None, max_examples=60)
@given(some, some, few, known)
@example(set(range(300)), set(range(300)), {7}, (FEATURES, FEATURES))
def test_whatever_the_sets_and_features_both_are_equal_after_one_exchange(
    both: set[int], one: set[int], other: set[int], features: tuple[Sequence[str], Sequence[str]]
) -> None:
    a, b = shelf(both | one), shelf(both | other)
    differ = len((both | one) ^ (both | other))
    is_empty = not (both | one) or not (both | other)
    link = Counted(a, b, features=features).run()
    assert a.ids() == b.ids() and len(a.ids()[1]) == len(both | one | other)
    assert [len(end.told(Completed)) for end in link.ends] == [1, 1]
    if is_empty or not differ:
        assert set(methods(link)[0]) <= {(Method.STREAM, Reason.ASKED)} and not link.carried
    elif FEATURES in features and features[0] == features[1]:
        assert methods(link) == [[(Method.SKETCH, Reason.USUAL)]] * 2
        assert finding_bytes(link) <= 22 * (4 * differ + 64) + 10 * differ + 300
    else:
        assert methods(link) == [[(Method.RANGES, Reason.NO_FEATURE)]] * 2


@settings(deadline=None, max_examples=20)
@given(some, some, few, st.sampled_from(["one cell", "one checksum", "nothing told", "no guess"]))
@example(set(range(200)), {250}, {260, 261}, "one cell")
def test_ids_chosen_against_the_sketch_cost_no_more_than_its_symbols_and_ranges_find_them(
    both: set[int], one: set[int], other: set[int], attack: str
) -> None:
    a, b = shelf(both | one | {0}), shelf(both | other | {0})
    differ = len((both | one | {0}) ^ (both | other | {0}))
    plain = Counted(shelf(both | one | {0}), shelf(both | other | {0}), features=(NO_SKETCH, NO_SKETCH)).run()
    with pytest.MonkeyPatch.context() as patch:
        blind(patch, attack)
        link = Counted(a, b).run()
    assert a.ids() == b.ids()
    assert [len(end.told(Completed)) for end in link.ends] == [1, 1]
    assert finding_bytes(link) <= finding_bytes(plain) + SYMBOL_BYTES * 2048 * 2 + 2000
    if differ > 2:
        assert methods(link)[0] == methods(link)[1] != []


def blind(patch: pytest.MonkeyPatch, attack: str) -> None:
    """Make ids as if somebody had found such: that takes longer than a test may."""
    coded = sketch.coded
    match attack:
        case "one cell":
            for module in (peeling, sketch):
                patch.setattr(module, "coded", lambda item: coded(item)._replace(seed=0))
            patch.setattr(sketch, "_SCALAR_ITEMS_MAX", 10**9)
        case "one checksum":
            for module in (peeling, sketch):
                patch.setattr(module, "coded", lambda item: coded(item)._replace(check=0))
            patch.setattr(sketch, "_SCALAR_ITEMS_MAX", 10**9)
        case "nothing told":
            patch.setattr(Shelf, "sketch", lambda self, commons, plane: sketch.Sketch())
        case "no guess":
            patch.setattr(sketch.Sketch, "counts", lambda self, first, last: bytes(last - first))


def test_records_whose_ids_begin_alike_all_come(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = shelf(set(range(0, 100, 2))), shelf(set(range(0, 90, 2)))
    hidden = {sealed.record.id for sealed in works()[1:40:2]}  # each begins, so to say, like another that is no secret
    alike = dict(zip(sorted(hidden), sorted(one for one in b.ids()[1] ^ a.ids()[1]) * 9, strict=False))
    found = Shelf.named

    def named(self: Shelf, commons: CommonsId, plane: int, prefixes: Sequence[bytes]) -> list[list[bytes]]:
        lists = found(self, commons, plane, prefixes)
        twins = [[one for one, other in alike.items() if other in ids and plane] for ids in lists]
        return [[*ids, *more] for ids, more in zip(lists, twins, strict=True)]

    real = Shelf.sketch
    monkeypatch.setattr(Shelf, "named", named)
    a.put(sealed for sealed in works() if sealed.record.id in hidden)
    b_symbols = real(b, COMMONS, 1)
    a_symbols = real(a, COMMONS, 1)
    a_symbols.discard(hidden)  # they cancel, as two with one beginning do
    symbols = {id(a): a_symbols, id(b): b_symbols}
    opened: list[int] = []

    def sketched(self: Shelf, commons: CommonsId, plane: int) -> Sketch:
        opened.append(plane)
        return symbols[id(self)].copy() if plane and len(opened) <= 4 else real(self, commons, plane)

    monkeypatch.setattr(Shelf, "sketch", sketched)
    link = Counted(b, a).run()
    assert a.ids() == b.ids()
    assert methods(link) == [[(Method.SKETCH, Reason.USUAL)]] * 2, "no other way was needed"


def test_wanted_records_that_have_gone_are_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = shelf(set(range(100))), shelf(set(range(90)))
    monkeypatch.setattr(Shelf, "named", lambda self, commons, plane, prefixes: [[] for _ in prefixes])
    link = Link(b, a).run()
    assert a.ids() == b.ids() and not any(end.told(SessionEnded) for end in link.ends)
    assert methods(link)[0][:2] == [(Method.SKETCH, Reason.USUAL), (Method.RANGES, Reason.TRIED)]


def test_many_differences_go_to_ranges_without_symbols() -> None:
    records = records_of("alice", 1, range(4500), tree=512)
    a, b = shelf(set()), shelf(set())
    a.put(records[:3900])
    b.put(records[3800:])
    link = Counted(a, b).run()
    assert a.ids() == b.ids()
    assert [one[0] for one in methods(link)] == [(Method.RANGES, Reason.TOO_MANY)] * 2
    assert sum(isinstance(m.decode_message(frame), m.Symbols) for frame in link.carried) == 1


def test_every_way_of_choosing_ends() -> None:
    assert {row[1] for row in table()} >= {"stream", "sketch", "ranges", "lists"}
    for streams in (False, True):
        for thorough in (False, True):
            for sketches in (False, True):
                tried: frozenset[Method] = frozenset()
                for _ in range(4):
                    choice = choose(Situation(streams, thorough, sketches, tried, 10))
                    if choice is None:
                        break
                    assert choice.method not in tried
                    tried |= {choice.method}
                assert choice is None and tried


# -- peers that lie


class Puppet:
    """A peer made of messages, in either role, against a session over a shelf of 200 works."""

    def __init__(self, role: Role, features: Sequence[str] = FEATURES, *, lost: bool = False) -> None:
        self.role = role
        self.shelf = shelf(set(range(200)))
        self.shelf.lost = {DOOR[0].record.id} if lost else set()
        own = Role.LISTENER if role is Role.DIALLER else Role.DIALLER
        ends = []
        for this, library in ((own, self.shelf), (role, shelf(set()))):
            random = dice(int(this))
            ends.append(
                Session(
                    library, role=this, key=key_of(this.name), channel=CHANNEL, nonce=random(32), random=random,
                    now_ms=NOW_MS, features=features,
                )
            )  # fmt: skip
        self.subject, self.other = ends
        self.heard: list[m.Message] = []
        self.ended: SessionEnded | None = None
        while not any(isinstance(message, m.Open) for message in self.heard):
            mine = [f for f in self.other.data_to_send() if not isinstance(m.decode_message(f), m.Open)]
            theirs = self.subject.data_to_send()
            if not mine and not theirs:  # the dialler waits for us to open
                self.subject.handle_timeout(NOW_MS + 1000)
            for frame in theirs:
                self.heard.append(m.decode_message(frame))
                if not isinstance(self.heard[-1], m.Open):
                    self.other.receive_data(frame, NOW_MS)
            for frame in mine:
                self.subject.receive_data(frame, NOW_MS)
        (opening,) = next(message for message in self.heard if isinstance(message, m.Open)).openings
        assert isinstance(opening, m.Opening)
        self.hint = opening.hint
        if lost:
            return
        other = m.SetDigest(opening.catalogue.count, bytes(32))
        self.say(m.Open((m.Opening(opening.slot, 0, opening.charter, other, opening.hint),)))

    def say(self, message: m.Message) -> list[m.Message]:
        for event in self.subject.receive_data(m.encode_message(message), NOW_MS):
            if isinstance(event, SessionEnded):
                self.ended = event
        fresh = []
        while frames := self.subject.data_to_send():
            fresh += [m.decode_message(frame) for frame in frames]
        self.heard += fresh
        return fresh


NOISE = bytes(range(256)) * 176


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([m.Symbols(0, 1, 8, bytes(22))], "bad_sketch"),  # not the first
        ([m.Symbols(0, 1, 0, NOISE[:220]), m.Symbols(0, 1, 0, NOISE[:220])], "bad_sketch"),
        ([m.Symbols(0, 1, 0, NOISE[:220]), m.Symbols(0, 1, 10, NOISE[:22])], "bad_sketch"),  # too few
        ([m.Symbols(0, 0, 0, NOISE[:220])], "unexpected_message"),  # another plane
        ([m.More(0, 1, 8)], "unexpected_message"),  # the dialler answers no questions
        ([m.Symbols(0, 1, 0, b""), m.Symbols(0, 1, 0, NOISE[:220])], "unexpected_message"),
        ([m.Open((m.Echo(0, 0),))], "unexpected_message"),
    ],
)
def test_a_listener_that_breaks_the_rules_of_symbols_ends_its_session(messages: list[m.Message], code: str) -> None:
    puppet = Puppet(Role.LISTENER)
    for message in messages:
        puppet.say(message)
    assert puppet.ended is not None and puppet.ended.code == code and puppet.ended.violation


def test_a_listener_whose_symbols_tell_nothing_is_asked_for_all_of_them_and_then_for_ranges() -> None:
    puppet = Puppet(Role.LISTENER)
    received, questions = 10, 0
    fresh = puppet.say(m.Symbols(0, 1, 0, NOISE[: 22 * 10]))
    while fresh and isinstance(more := fresh[-1], m.More):
        fresh = puppet.say(m.Symbols(0, 1, received, NOISE[22 * received : 22 * more.up_to]))
        received, questions = more.up_to, questions + 1
    assert received == 2048 and questions <= 60
    assert isinstance(fresh[-1], m.Range) and puppet.ended is None


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([m.Symbols(0, 1, 0, bytes(22))], "unexpected_message"),  # the listener is who sends them
        ([m.More(0, 0, 100)], "unexpected_message"),
        ([m.More(0, 1, 1)], "bad_sketch"),
        ([m.More(0, 1, 2048), m.More(0, 1, 2048)], "bad_sketch"),
        ([m.More(0, 1, 100), m.More(0, 1, 101)], "bad_sketch"),
        ([m.Range(0, 1, b"\x61\0\0\2\0"), m.More(0, 1, 2048)], "unexpected_message"),
        ([m.Open((m.Echo(0, 0),))], "unexpected_message"),
    ],
)
def test_a_dialler_that_breaks_the_rules_of_symbols_ends_its_session(messages: list[m.Message], code: str) -> None:
    puppet = Puppet(Role.DIALLER)
    for message in messages:
        puppet.say(message)
    assert puppet.ended is not None and puppet.ended.code == code and puppet.ended.violation


def test_a_flood_of_questions_gets_each_symbol_once() -> None:
    puppet = Puppet(Role.DIALLER)
    given = sum(len(one.symbols) for one in puppet.heard if isinstance(one, m.Symbols))
    for up_to in range(1, 2049):
        if puppet.ended is None and (given // SYMBOL_BYTES) + (given // SYMBOL_BYTES) // 8 + 1 <= up_to:
            given += sum(len(one.symbols) for one in puppet.say(m.More(0, 1, up_to)) if isinstance(one, m.Symbols))
    assert puppet.ended is None and given <= 2048 * SYMBOL_BYTES


@pytest.mark.parametrize("message", [m.Symbols(0, 1, 0, bytes(22)), m.More(0, 1, 9), m.Want(0, 1, (bytes(8),))])
@pytest.mark.parametrize("role", [Role.DIALLER, Role.LISTENER])
def test_without_the_feature_none_of_it_may_be_said(message: m.Message, role: Role) -> None:
    puppet = Puppet(role, NO_SKETCH)
    assert puppet.hint == b""
    puppet.say(message)
    assert puppet.ended is not None and puppet.ended.code == "unexpected_message"


@pytest.mark.parametrize("role", [Role.DIALLER, Role.LISTENER])
def test_a_body_asked_for_beside_an_opening_may_come_before_the_answer_to_it(role: Role) -> None:
    puppet = Puppet(role, lost=True)
    assert any(isinstance(message, m.Want) for message in puppet.heard)
    puppet.say(m.Packs(0, 0, 1, None, shelf(set()).packs(COMMONS, 0, [DOOR[0].record.id], 10_000)[0]))
    assert puppet.ended is None and not puppet.shelf.lost


def test_an_echo_that_answers_an_opening_is_its_word_for_the_same() -> None:
    a, b = shelf(set(range(50))), shelf(set(range(50)))
    link = Link(a, b).run()
    frames = [m.decode_message(frame) for frame in link_frames(shelf(set(range(50))), shelf(set(range(50))))]
    openings = [one for message in frames if isinstance(message, m.Open) for one in message.openings]
    assert [type(one) for one in openings] == [m.Opening, m.Echo]
    assert all(end.told(Completed) == [Completed(COMMONS, 0, ())] for end in link.ends)


def link_frames(a: Shelf, b: Shelf) -> list[bytes]:
    frames: list[bytes] = []

    class Heard(Link):
        def step(self) -> bool:
            for end in self.ends:
                before = len(end.sent)
                end.flush()
                frames.extend(list(end.sent)[before:])
            return super().step()

    Heard(a, b).run()
    return frames
