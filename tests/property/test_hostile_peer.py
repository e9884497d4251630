"""Strangers and hostile members against one replica and its sessions: each test is an attack that must come to nothing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from simulation.world import CHANNEL, Clock, Link, dice

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import (
    Made,
    add_device,
    erase,
    found,
    invite,
    join_open,
    purge,
)
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.commons.query import Query
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import ZEROS, CommonsId, Plane, Record, RecordId, build
from p2pcommons.core.seal import pack_value, seal
from p2pcommons.errors import RemoteProtocolError, StoreError
from p2pcommons.store.memory import MemoryStore
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync import holding
from p2pcommons.sync.events import Event, SessionEnded
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.holding import SYNCED_PLANES
from p2pcommons.sync.message import (
    Ask,
    Confirm,
    Message,
    Open,
    Packs,
    Refuse,
    Want,
    decode_message,
    encode_message,
)
from p2pcommons.sync.replica import Draft, Replica
from p2pcommons.sync.session import Session
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.storage import Store

NOW_MS = 1_790_000_000_000
RECOVERY = recovery_hash(bytes(32))
DAY_MS = 24 * 3600 * 1000


def key(name: str) -> SigningKey:
    return SigningKey(sha256(name.encode()).digest())


def subject(name: str) -> bytes:
    return sha256(b"subject " + name.encode()).digest()


ALICE, BOB, CAROL, EVE = (key(name) for name in ("alice", "bob", "carol", "eve"))


class Place:
    """One node's replica, its store, and people who write on it."""

    def __init__(self, store: Store | None = None, number: int = 0) -> None:
        self.store = store or MemoryStore()
        self.replica: Replica[Charter] = Replica(self.store, CommonsMeaning(), dice(number))
        self.now_ms = NOW_MS

    def restarted(self) -> Place:
        again = Place(self.store, 77)
        again.now_ms = self.now_ms
        return again

    def found(self, name: str = "A commons", founder: SigningKey = ALICE, **more: Any) -> CommonsId:
        made = found(name, entropy=sha256(name.encode()).digest(), recovery=RECOVERY, join="open", stamp_bits=0, **more)
        return self.replica.found(founder, made.kind, made.body, self.now_ms)

    def charter(self, commons: CommonsId) -> Charter:
        charter = self.replica.charter(commons)
        assert charter is not None
        return charter

    def act(
        self, commons: CommonsId, who: SigningKey, made: Made, about: bytes = ZEROS, prev: Sequence[bytes] | None = None
    ) -> RecordId:
        self.now_ms += 1
        past = self.charter(commons).prev_for(who.public) if prev is None else prev
        draft = Draft(Plane.CHARTER, about, past, made.kind, encode_body(made.body))
        return self.replica.write(commons, who, [draft], self.now_ms)[0].id

    def join(self, commons: CommonsId, who: SigningKey) -> RecordId:
        return self.act(commons, who, join_open(recovery=RECOVERY, stamp=bytes(8)), who.public, (commons,))

    def edit(
        self, commons: CommonsId, who: SigningKey, about: bytes, prev: Sequence[bytes] = (), **fields: str
    ) -> RecordId:
        self.now_ms += 1
        body = encode_body({"set": {"type": "text", **fields}})
        return self.replica.write(commons, who, [Draft(1, about, prev, "entry.edit", body)], self.now_ms)[0].id

    def packs(self, commons: CommonsId, plane: int) -> list[Any]:
        packs: list[Any] = []
        after = None
        while True:
            some, after, more = self.replica.page(commons, plane, after, 1 << 20)
            if not more:
                return packs
            packs += some

    def give(self, other: Place, commons: CommonsId) -> None:
        """All there is, as a session would bring it."""
        other.now_ms = max(other.now_ms, self.now_ms)
        for plane in SYNCED_PLANES:
            other.replica.receive(commons, self.packs(commons, plane), other.now_ms)
            other.replica.settle(commons)

    def exchange(self, other: Place, commons: CommonsId) -> None:
        for _ in range(3):
            self.give(other, commons)
            other.give(self, commons)


def record(
    commons: bytes,
    who: SigningKey,
    plane: int = 1,
    *,
    about: bytes = ZEROS,
    prev: Sequence[bytes] = (),
    kind: str = "entry.edit",
    body: Any = None,
    at_ms: int = NOW_MS,
    number: int = 0,
) -> Record:
    """A record of anybody, signed by nobody yet."""
    return build(
        commons=commons, plane=plane, author=who.public, after=ZEROS, time=(at_ms << 16) + number, subject=about,
        prev=sorted(prev), kind=kind, body=body if body is not None else {"set": {"title": "x", "type": "text"}},
        salt=sha256(b"%d" % number).digest()[:16],
    )  # fmt: skip


def packed(who: SigningKey, records: Sequence[Record]) -> list[Any]:
    made, _ = seal(who, records)
    return pack_value(made, {}, list(enumerate(records)))


def equal(one: Place, other: Place, commons: CommonsId) -> bool:
    return one.replica.digest(commons) == other.replica.digest(commons)


def is_consistent(place: Place, commons: CommonsId) -> bool:
    """What is kept in memory and in rows is what a start from the records alone would give."""
    digest = place.replica.digest(commons)
    again = place.restarted().replica
    for plane in SYNCED_PLANES:
        ids = [key.id for key in place.store.keys(commons, plane, None, 1_000_000)]
        assert place.replica.sketch(commons, plane) == again.sketch(commons, plane) == Sketch(ids)
    return digest == again.digest(commons) == again.rebuild(commons)


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    made: list[Any] = []

    def one() -> Store:
        made.append(MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / f"{len(made)}.sqlite"))
        return made[-1]  # type: ignore[no-any-return]

    yield one
    for store in made:
        store.close()


# -- erasures that come, grow and go


def test_a_second_erasure_of_other_fields_changes_the_view_everywhere_alike(make: Callable[[], Store]) -> None:
    one, other = Place(make()), Place(make(), 1)
    commons = one.found()
    one.join(commons, BOB)
    first = one.edit(commons, BOB, subject("a"), title="Old", description="Old")
    second = one.edit(commons, BOB, subject("a"), [first], title="New", description="New")
    one.act(commons, ALICE, erase({second: ["title"]}))
    one.act(commons, ALICE, erase({second: ["title", "description"]}))
    other.replica.follow(commons)
    one.exchange(other, commons)
    assert equal(one, other, commons)
    assert is_consistent(one, commons) and is_consistent(other, commons)


def _stolen_steward_erases(one: Place, other: Place) -> tuple[CommonsId, RecordId]:
    """Eve, a steward, erases Bob's work; `other` comes after that; then Eve is purged."""
    commons = one.found(stewards=[EVE.public])
    one.join(commons, EVE)
    one.join(commons, BOB)
    work = one.edit(commons, BOB, subject("a"), title="Bob's")
    one.act(commons, EVE, erase({work: ["title", "type"]}))
    assert one.replica.digest(commons).entries == 0
    other.replica.follow(commons)
    one.give(other, commons)
    assert equal(one, other, commons)
    one.act(commons, ALICE, purge([EVE.public]))
    return commons, work


def test_what_a_purged_steward_erased_is_shown_again(make: Callable[[], Store]) -> None:
    one, other = Place(make()), Place(make(), 1)
    commons, _ = _stolen_steward_erases(one, other)
    assert one.replica.digest(commons).entries == 1, "the bytes rest in quarantine: they are shown again"
    assert one.replica.digest(commons).bodies_missing == 0
    assert is_consistent(one, commons)


def test_a_body_never_seen_for_an_erasure_that_fell_is_wanted_and_comes(make: Callable[[], Store]) -> None:
    one, other = Place(make()), Place(make(), 1)
    commons, work = _stolen_steward_erases(one, other)
    other.replica.receive(commons, one.packs(commons, 0), other.now_ms + 10)
    other.replica.settle(commons)
    assert other.replica.wanted_bodies(commons) == [work]
    assert other.replica.digest(commons).bodies_missing == 1
    packs, _ = one.replica.packs(commons, 1, [work], 1 << 20)
    other.replica.receive(commons, packs, other.now_ms + 10)
    assert other.replica.digest(commons).bodies_missing == 0
    assert equal(one, other, commons)
    assert is_consistent(other, commons)


def test_an_own_erasure_counts_as_soon_as_its_author_is_the_same_person(make: Callable[[], Store]) -> None:
    one = Place(make())
    commons = one.found()
    one.join(commons, BOB)
    one.join(commons, CAROL)
    work = one.edit(commons, CAROL, subject("a"), title="Carol's")
    one.act(commons, BOB, erase({work: ["title", "type"]}))
    assert one.replica.digest(commons).entries == 1, "not Bob's"
    one.act(commons, BOB, add_device(commons, BOB.public, CAROL), CAROL.public)
    assert one.replica.digest(commons).entries == 0, "Carol's key turns out to be Bob's"
    assert is_consistent(one, commons)


def test_nobody_erases_what_is_not_theirs_and_not_here_yet() -> None:
    one, other = Place(), Place(number=1)
    commons = one.found()
    one.join(commons, BOB)
    one.join(commons, EVE)
    work = one.edit(commons, BOB, subject("a"), title="Bob's")
    one.act(commons, EVE, erase({work: ["title", "type"]}))
    other.replica.follow(commons)
    one.give(other, commons)  # the erasure comes before what it names
    assert equal(one, other, commons)
    assert other.replica.digest(commons).entries == 1
    assert len(other.replica.packs(commons, 1, [work], 1 << 20)[0][0][7][0]) == 4, "the body is given on"


# -- bodies lost


def test_an_entry_whose_body_is_lost_breaks_no_search_and_comes_back(make: Callable[[], Store]) -> None:
    one, other = Place(make()), Place(make(), 1)
    commons = one.found()
    work = one.edit(commons, ALICE, subject("a"), title="Lost")
    one.edit(commons, ALICE, subject("b"), title="Kept")
    other.replica.follow(commons)
    one.give(other, commons)
    before = one.replica.digest(commons)
    one.replica.lose_bodies(commons, [work])
    found = one.store.search(Query(commons=(commons,)))  # type: ignore[attr-defined]
    assert [hit.subject for hit in found.hits] == [subject("b")]
    assert one.store.find_entry(subject("a")) == [(commons, subject("a"))]  # type: ignore[attr-defined]
    one.store.entry(commons, subject("a"))  # type: ignore[attr-defined]
    assert one.replica.wanted_bodies(commons) == [work]
    assert one.replica.digest(commons).bodies_missing == 1
    packs, _ = other.replica.packs(commons, 1, [work], 1 << 20)
    one.replica.receive(commons, packs, one.now_ms)
    assert one.replica.digest(commons) == before
    assert is_consistent(one, commons)


def test_a_body_that_a_disk_changed_is_not_offered_but_asked_for_and_comes_back(make: Callable[[], Store]) -> None:
    one, other = Place(make()), Place(make(), 1)
    commons = one.found()
    work = one.edit(commons, ALICE, subject("a"), title="Whole")
    kept = one.edit(commons, ALICE, subject("b"), title="Kept")
    other.replica.follow(commons)
    one.give(other, commons)
    before = one.replica.digest(commons)
    made = one.store.sealed([work])[0].record
    with one.store.transaction():
        one.store.put_bodies([made._replace(body=(made.body or b"").replace(b"Whole", b"Whale"))])
    third = Place(make(), 2)
    third.replica.follow(commons)
    one.give(third, commons)
    assert third.store.present([work, kept]) == {kept}
    assert one.replica.wanted_bodies(commons) == [work] and one.replica.digest(commons).bodies_missing == 1
    other.give(one, commons)
    one.give(third, commons)
    assert one.replica.digest(commons) == before and equal(one, third, commons)
    assert is_consistent(one, commons)


def test_ids_that_are_not_here_are_never_waited_for() -> None:
    one = Place()
    commons = one.found()
    one.replica.lose_bodies(commons, [bytes(32)])
    assert one.replica.digest(commons).bodies_missing == 0


def test_a_lost_body_that_is_purged_or_erased_is_waited_for_no_more(make: Callable[[], Store]) -> None:
    one = Place(make())
    commons = one.found()
    one.join(commons, BOB)
    one.join(commons, EVE)
    by_bob = one.edit(commons, BOB, subject("a"), title="Bob's")
    by_eve = one.edit(commons, EVE, subject("b"), title="Eve's")
    one.replica.lose_bodies(commons, [by_bob, by_eve])
    assert one.replica.digest(commons).bodies_missing == 2
    one.act(commons, ALICE, erase({by_bob: ["title", "type"]}))
    assert one.replica.wanted_bodies(commons) == [by_eve]
    one.act(commons, ALICE, purge([EVE.public]))
    assert one.replica.digest(commons).bodies_missing == 0 and one.replica.wanted_bodies(commons) == []
    assert is_consistent(one, commons)


def test_a_lost_charter_body_never_makes_acknowledged_records_vanish(make: Callable[[], Store]) -> None:
    one, other = Place(make()), Place(make(), 1)
    commons = one.found()
    door = one.join(commons, BOB)
    one.edit(commons, BOB, subject("a"), title="Bob's")
    other.replica.follow(commons)
    one.give(other, commons)
    one.replica.lose_bodies(commons, [door])
    other.join(commons, CAROL)
    other.edit(commons, CAROL, subject("c"), title="Carol's")
    for place in (one, one.restarted()):
        before = place.replica.digest(commons).records
        other.give(place, commons)  # a record of the charter comes while one of its bodies is lost
        assert place.replica.digest(commons).records >= before
    last = one.restarted()
    packs, _ = other.replica.packs(commons, 0, [door], 1 << 20)
    last.replica.receive(commons, packs, other.now_ms)
    assert last.replica.wanted_bodies(commons) == []
    other.give(last, commons)
    assert equal(last, other, commons)
    assert is_consistent(last, commons)


def test_what_an_unfollowed_commons_left_behind_is_not_met_again(make: Callable[[], Store]) -> None:
    one, other = Place(make()), Place(make(), 1)
    commons = one.found()
    work = one.edit(commons, ALICE, subject("a"), title="A")
    other.replica.follow(commons)
    one.give(other, commons)
    other.replica.lose_bodies(commons, [work])
    other.replica.set_cursor(commons, 1, holding.Key(5, bytes(32)))
    other.replica.unfollow(commons)
    other.replica.follow(commons)
    assert other.replica.wanted_bodies(commons) == [] and other.replica.cursor(commons, 1) is None
    one.give(other, commons)
    assert equal(one, other, commons)


# -- floods of the charter


class Judging(CommonsMeaning):
    """Counts how often, and over how much, a charter is judged."""

    def __init__(self) -> None:
        self.times = 0

    def judge(self, records: Any, commons: bytes) -> Charter:
        self.times += 1
        return super().judge(records, commons)


def bogus(commons: bytes, number: int, prev: Sequence[bytes]) -> list[Any]:
    """A plane-0 record of somebody whom nobody let in."""
    who = key(f"stranger {number % 50}")
    return packed(who, [record(commons, who, 0, prev=prev, kind="member.invite", number=number)])


@pytest.mark.parametrize("prev", ["known", "invented"])
def test_many_small_frames_of_bogus_charter_records_are_judged_few_times(prev: str) -> None:
    place = Place()
    meaning = Judging()
    place.replica = Replica(place.store, meaning, dice(3))
    commons = place.found()
    before = meaning.times
    for number in range(1000):
        named = commons if prev == "known" else sha256(b"%d" % number).digest()
        place.replica.receive(commons, [bogus(commons, number, [named])], NOW_MS)
    assert meaning.times - before < 120
    place.replica.settle(commons)
    assert place.replica.digest(commons).records == 1


def test_a_full_waiting_room_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2pcommons.sync.waiting.PENDING_RECORDS_MAX", 200)
    monkeypatch.setattr("p2pcommons.sync.waiting.UNGROUNDED_MAX", 50)
    place, other = Place(), Place(number=1)
    commons = place.found()
    other.replica.follow(commons)
    place.give(other, commons)
    for number in range(500):
        other.replica.receive(commons, [bogus(commons, number, [sha256(b"%d" % number).digest()])], NOW_MS)
    place.join(commons, BOB)
    place.edit(commons, BOB, subject("a"), title="Bob's")
    place.give(other, commons)
    assert equal(place, other, commons)
    for number in range(500, 1000):
        other.replica.receive(commons, [bogus(commons, number, [sha256(b"%d" % number).digest()])], NOW_MS)
    other.join(commons, CAROL)  # nor the node's own person


def test_waiting_records_with_large_bodies_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2pcommons.sync.waiting.PENDING_BYTES_MAX", 1 << 20)
    monkeypatch.setattr("p2pcommons.sync.waiting.UNGROUNDED_BYTES_MAX", 1 << 18)
    place = Place()
    commons = place.found()
    for number in range(60):
        who = key(f"stranger {number}")
        body = {"x": bytes(60_000)}
        made = record(commons, who, 0, prev=[sha256(b"%d" % number).digest()], kind="a.b", body=body, number=number)
        place.replica.receive(commons, [packed(who, [made])], NOW_MS)
    place.join(commons, BOB)
    assert BOB.public in place.charter(commons).admitted


def test_records_that_wait_for_their_past_come_in_when_it_comes() -> None:
    place, other = Place(), Place(number=1)
    commons = place.found()
    first = place.act(commons, ALICE, invite(EVE.public, stamp_bits=0))
    second = place.act(commons, ALICE, invite(BOB.public, stamp_bits=0))
    other.replica.follow(commons)
    late, _ = place.replica.packs(commons, 0, [second], 1 << 20)
    other.replica.receive(commons, late, NOW_MS + 100)
    assert other.replica.settle(commons) == {second: "not_admitted"}
    assert other.replica.missing(commons, [second]) == [first]
    assert other.replica.missing(commons, [bytes(32)]) == [], "only who brought it is asked"
    past, _ = place.replica.packs(commons, 0, [commons, first], 1 << 20)
    other.replica.receive(commons, past, NOW_MS + 100)
    other.replica.settle(commons)
    assert equal(place, other, commons)


# -- what a session may do to a node


class Attack:
    """Eve's node in session with a victim: the handshake is honest, what follows is not."""

    def __init__(self, victim: Place, commons: CommonsId, *, dials: bool = True, own: Place | None = None) -> None:
        self.victim = victim
        eve = own or Place(number=9)
        eve.replica.follow(commons)
        roles = (Role.DIALLER, Role.LISTENER) if dials else (Role.LISTENER, Role.DIALLER)
        self.eve, self.session = (
            Session(
                place.replica, role=role, key=key(f"node {number}"), channel=CHANNEL, nonce=bytes([number]) * 32,
                random=dice(number), now_ms=NOW_MS,
            )
            for number, (place, role) in enumerate(zip((eve, victim), roles, strict=True))
        )  # fmt: skip
        self.events: list[Event] = []
        self.heard: list[Message] = []
        self._shake()

    def _shake(self) -> None:
        while not (self.session.commons() and self.eve.commons()):
            mine = [f for f in self.eve.data_to_send() if not isinstance(decode_message(f), Open)]
            theirs = self.session.data_to_send()
            assert mine or theirs
            for frame in mine:
                self.events += self.session.receive_data(frame, NOW_MS)
            for frame in theirs:
                self.heard.append(decode_message(frame))
                if not isinstance(self.heard[-1], Open):
                    self.eve.receive_data(frame, NOW_MS)
        self.listen()

    def say(self, *messages: Message) -> list[Event]:
        fresh: list[Event] = []
        for message in messages:
            fresh += self.session.receive_data(encode_message(message), NOW_MS)
            self.listen()
        self.events += fresh
        return fresh

    def listen(self) -> None:
        while frames := self.session.data_to_send():
            self.heard += [decode_message(frame) for frame in frames]

    @property
    def ended(self) -> SessionEnded | None:
        return next((event for event in self.events if isinstance(event, SessionEnded)), None)


def test_an_id_wanted_many_times_over_is_answered_and_breaks_nothing() -> None:
    place = Place()
    commons = place.found()
    work = place.edit(commons, ALICE, subject("a"), title="A")
    attack = Attack(place, commons)
    attack.say(Want(0, 1, (work,) * 5000))
    given = [message for message in attack.heard if isinstance(message, Packs)]
    assert sum(message.answered for message in given) == 5000
    assert sum(len(pack[5]) for message in given for pack in message.packs) <= len(given), "once in a frame"
    assert not attack.session.is_over


@pytest.mark.parametrize("dials", [True, False])
def test_a_commons_unfollowed_in_the_middle_of_anything_ends_its_slot_alone(dials: bool) -> None:
    place = Place()
    commons = place.found()
    kept = place.found("Another")
    own = Place(number=9)
    own.replica.follow(kept)
    ids = [place.edit(commons, ALICE, subject(f"{n}"), title="A") for n in range(20)]
    attack = Attack(place, commons, dials=dials, own=own)
    slot = attack.session.commons().index(commons)
    attack.session.receive_data(encode_message(Want(slot, 1, tuple(ids))), NOW_MS)
    place.replica.unfollow(commons)  # nobody told the session yet
    attack.listen()
    attack.say(Want(slot, 1, tuple(ids)), Packs(slot, 1, 0, None, []))
    attack.session.handle_timeout(NOW_MS + 100)
    attack.session.local_change(NOW_MS + 200)
    assert not attack.session.is_over
    assert attack.session.commons() == [kept]
    place.replica.follow(commons)
    attack.session.local_change(NOW_MS + 300)
    attack.listen()
    assert not attack.session.is_over


@pytest.mark.parametrize(
    "message",
    [
        Packs(0, 1, 0, None, []),
        Packs(0, 1, 1, None, []),
        Confirm(0, 1, ()),
        Ask(0, 1, None),
        Refuse(0, 1, tuple((sha256(b"%d" % n).digest(), "later") for n in range(4096))),
    ],
)
def test_messages_out_of_place_end_the_session_or_do_nothing(message: Message) -> None:
    place = Place()
    commons = place.found()
    attack = Attack(place, commons)
    attack.say(message, message)
    assert attack.ended is None or attack.ended.violation
    assert place.replica.digest(commons).records == 1


def test_records_of_another_commons_or_plane_never_come_in() -> None:
    place, elsewhere = Place(), Place(number=4)
    commons = place.found()
    strange = elsewhere.found("Another")
    place.join(commons, EVE)
    foreign = elsewhere.packs(strange, 0)
    with pytest.raises(RemoteProtocolError, match="wrong_commons"):
        place.replica.receive(commons, foreign, NOW_MS)
    letter = packed(EVE, [record(commons, EVE, 2, kind="post.letter")])
    receipt = place.replica.receive(commons, [letter], NOW_MS)
    assert set(receipt.refused.values()) == {"plane_not_kept"} and receipt.new == 0
    headless = packed(EVE, [record(commons, EVE, 1)._replace(salt=None, body=None)])
    assert set(place.replica.receive(commons, [headless], NOW_MS).refused.values()) == {"no_body"}
    assert place.replica.digest(commons).records == 2


def test_one_record_under_many_seals_and_places_is_kept_once(make: Callable[[], Store]) -> None:
    place = Place(make())
    commons = place.found()
    place.join(commons, EVE)
    work, other = (record(commons, EVE, about=subject("a"), number=n) for n in (1, 2))
    doubled, _ = seal(EVE, [work, work, other])
    known = {Span(at, at + 1): made.id for at, made in enumerate((work, work, other))}
    twice = pack_value(doubled, known, [(0, work), (1, work)])
    place.replica.receive(commons, [packed(EVE, [work]), twice, packed(EVE, [work, other]), twice], NOW_MS)
    assert place.replica.digest(commons).records == 4
    fresh = Place(make(), 1)
    fresh.replica.follow(commons)
    place.give(fresh, commons)
    packs, left = place.replica.packs(commons, 1, [work.id, other.id, work.id], 1 << 20)
    assert left == [] and fresh.replica.receive(commons, packs, NOW_MS).new == 0
    assert equal(place, fresh, commons) and is_consistent(place, commons)


def test_what_was_purged_and_is_offered_again_stays_out(make: Callable[[], Store]) -> None:
    place = Place(make())
    commons = place.found()
    place.join(commons, EVE)
    place.edit(commons, EVE, subject("a"), title="Eve's")
    charter, works = place.packs(commons, 0), place.packs(commons, 1)
    place.act(commons, ALICE, purge([EVE.public]))
    digest = place.replica.digest(commons)
    for _ in range(3):
        place.replica.receive(commons, charter, place.now_ms)
        place.replica.settle(commons)
        receipt = place.replica.receive(commons, works, place.now_ms)
        assert set(receipt.refused.values()) == {"not_admitted"}
    assert place.replica.digest(commons) == digest
    assert is_consistent(place, commons)


def test_a_disk_that_fills_up_at_any_write_leaves_memory_as_the_disk_is(tmp_path: Path) -> None:
    giver = Place()
    commons = giver.found(stewards=[EVE.public])
    for person in (BOB, EVE):
        giver.join(commons, person)
    works = [giver.edit(commons, BOB, subject(f"{n}"), title="Bob's") for n in range(3)]
    giver.act(commons, EVE, erase({works[0]: ["title"]}))
    before = giver.packs(commons, 0)
    catalogue = giver.packs(commons, 1)
    giver.act(commons, ALICE, purge([EVE.public]))
    writes = ("put_records", "put_entries", "put_state", "drop_records", "put_value", "put_bodies", "erase_bodies")
    for number, name in enumerate(writes):
        store: Any = SqliteStore(tmp_path / f"{number}.sqlite")
        place = Place(store)
        place.replica.follow(commons)
        real = getattr(store, name)
        for packs in (before, catalogue, giver.packs(commons, 0), giver.packs(commons, 1)):
            for fails in (True, False):

                def write(*arguments: Any, fails: bool = fails, real: Any = real) -> None:
                    if fails:
                        raise StoreError("disk_full", "full")
                    real(*arguments)

                setattr(store, name, write)
                try:
                    place.replica.receive(commons, packs, giver.now_ms)
                    place.replica.settle(commons)
                except StoreError:
                    assert fails
                assert place.replica.digest(commons) == place.restarted().replica.digest(commons)
        place.replica.lose_bodies(commons, [works[1]])
        giver.give(place, commons)
        assert equal(giver, place, commons)
        store.close()


@pytest.mark.parametrize("dials", [True, False])
@pytest.mark.parametrize("moment", range(6))
def test_a_commons_let_go_and_taken_up_again_at_any_moment_is_found_again(dials: bool, moment: int) -> None:
    place, other = Place(), Place(number=1)
    commons = place.found()
    place.edit(commons, ALICE, subject("a"), title="A")
    other.replica.follow(commons)
    clock = Clock()
    clock.now_ms = NOW_MS + 1000
    link = Link(*((other.replica, place.replica) if dials else (place.replica, other.replica)), clock)
    for _ in range(moment):
        link.step()
    other.replica.unfollow(commons)
    link.step()
    other.replica.follow(commons)  # before anybody told the sessions of either
    link.changed()
    link.run()
    link.tick(1000)
    link.changed()
    link.run()
    assert not any(end.session.is_over for end in link.ends)
    assert equal(place, other, commons)


def test_large_bodies_of_strangers_are_not_remembered() -> None:
    place = Place()
    commons = place.found()
    tracemalloc.start()
    try:
        for number in range(300):
            who = key(f"stranger {number % 9}")
            body = {"public": bytes(32), "x": sha256(b"%d" % number).digest() * 1500}
            made = record(commons, who, 0, prev=[commons], kind="member.invite", body=body, number=number)
            place.replica.receive(commons, [packed(who, [made])], NOW_MS)
            place.replica.settle(commons)
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()
