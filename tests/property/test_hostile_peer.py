"""Strangers and hostile members against one replica and its sessions: each test is an attack that must come to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from simulation.world import CHANNEL, dice

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import (
    Made,
    add_device,
    erase,
    found,
    invite,
    join_open,
    name_stewards,
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
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError, StoreError
from p2pcommons.store.memory import MemoryStore
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync import holding
from p2pcommons.sync.events import Completed, Event, SessionEnded
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
        made = found(
            name, entropy=sha256(name.encode()).digest(), recovery=RECOVERY, join="open", stamp_bits=0, **more
        )
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
    assert other.replica.packs(commons, 1, [work], 1 << 20)[0][0][7][0][-1] != b"", "the body is given on"


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
