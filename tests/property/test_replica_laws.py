"""A replica against plain sets: whatever comes, in any order, grouping and number, it holds what it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pcommons.commons import removal_bodies as removals
from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.charter_bodies import (
    Made,
    erase,
    found,
    invite,
    join_by_invitation,
    join_open,
    name_stewards,
    purge,
)
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.draft import draft_from_json, edit_body_new, merge_patch, withdraw_body
from p2pcommons.commons.edit import EDIT, WITHDRAW
from p2pcommons.commons.entry import entry_record, fold, predecessors, view_digest, view_from_bytes
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.commons.moderation_bodies import HIDE, hide, show
from p2pcommons.commons.query import Query
from p2pcommons.commons.stamp import search_stamp
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.record import CommonsId, Plane, Record, RecordId, commons_of
from p2pcommons.core.seal import read_pack
from p2pcommons.errors import LocalProtocolError
from p2pcommons.store.memory import MemoryStore
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync.digest import EMPTY, add, fingerprint, published, state
from p2pcommons.sync.holding import SYNCED_PLANES
from p2pcommons.sync.replica import Draft, Replica
from p2pcommons.sync.storage import Key, Store

NOW_MS = 1_790_000_000_000
PEOPLE = [SigningKey(sha256(f"person {n}".encode()).digest()) for n in range(4)]
RECOVERY = recovery_hash(bytes(32))
INVITING = SigningKey(sha256(b"an invitation").digest())
RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def dice() -> Callable[[int], bytes]:
    numbers: Iterator[int] = iter(range(10**9))
    return lambda size: b"".join(sha256(next(numbers).to_bytes(8, "big")).digest() for _ in range(size // 32 + 1))[
        :size
    ]


@contextmanager
def stores(kind: str) -> Iterator[Callable[[], Store]]:
    with TemporaryDirectory() as folder:
        made: list[Any] = []

        def make() -> Store:
            made.append(MemoryStore() if kind == "memory" else SqliteStore(Path(folder) / f"{len(made)}.sqlite"))
            return made[-1]  # type: ignore[no-any-return]

        yield make
        for store in made:
            if kind == "sqlite":
                store.close()


class World:
    """People who write, each on a replica of their own, and meet now and then."""

    def __init__(self, make: Callable[[], Store]) -> None:
        self.stores = [make() for _ in PEOPLE]
        self.replicas = [Replica(store, CommonsMeaning(), dice()) for store in self.stores]
        self.now_ms = NOW_MS
        self.subjects: list[bytes] = []
        made = found("A world", entropy=bytes(32), recovery=RECOVERY, join="open", stamp_bits=0)
        self.commons = self.replicas[0].found(PEOPLE[0], made.kind, made.body, self.now_ms)
        for replica in self.replicas[1:]:
            replica.follow(self.commons)
        self.invited: RecordId | None = None

    def act(self, who: int, what: str, number: int) -> None:
        self.now_ms += 1000
        try:
            getattr(self, what)(who, number)
        except LocalProtocolError:
            pass  # not a member yet, or not any more

    def charter(self, who: int) -> Charter | None:
        return self.replicas[who].charter(self.commons)

    def charter_act(self, who: int, made: Made, subject: bytes, prev: tuple[bytes, ...] | None = None) -> RecordId:
        charter = self.charter(who)
        assert charter is not None
        past = charter.prev_for(PEOPLE[who].public) if prev is None else prev
        draft = Draft(Plane.CHARTER, subject, past, made.kind, encode_body(made.body))
        return self.replicas[who].write(self.commons, PEOPLE[who], [draft], self.now_ms)[0].id

    def join(self, who: int, number: int) -> None:
        charter = self.charter(who)
        if charter is None:
            return
        me = PEOPLE[who].public
        if number % 2 and self.invited is not None and charter.entrance(self.invited) is not None:
            stamp = search_stamp(self.commons, self.invited, me, 0)
            assert stamp is not None
            made = join_by_invitation(self.commons, self.invited, me, INVITING, recovery=RECOVERY, stamp=stamp)
            self.charter_act(who, made, me, (self.invited,))
            return
        stamp = search_stamp(self.commons, self.commons, me, 0)
        assert stamp is not None
        self.charter_act(who, join_open(recovery=RECOVERY, stamp=stamp), me, (self.commons,))

    def invite(self, who: int, number: int) -> None:
        if self.charter(who) is not None:
            self.invited = self.charter_act(who, invite(INVITING.public, stamp_bits=0), self.commons)

    def purge(self, who: int, number: int) -> None:
        if self.charter(who) is not None and number % len(PEOPLE) != who:
            self.charter_act(who, purge([PEOPLE[number % len(PEOPLE)].public]), self.commons)

    def leave(self, who: int, number: int) -> None:
        self.charter_act(who, removals.leave(PEOPLE[who].public), self.commons)

    def remove(self, who: int, number: int) -> None:
        """With all words, with those seen here, with the older half of these, or with none."""
        victim = PEOPLE[number % len(PEOPLE)].public
        if self.charter(who) is None or victim == PEOPLE[who].public:
            return
        ids = self.stores[who].authored(self.commons, [victim])
        theirs = sorted((sealed.record.header.time, sealed.record.id) for sealed in self.stores[who].sealed(ids))
        how = number // len(PEOPLE) % 4
        named = [[], theirs[-1:], theirs[: len(theirs) // 2][-1:], []][how]
        heads = {(victim, int(Plane.CATALOGUE)): [identifier for _, identifier in named]}
        self.charter_act(who, removals.remove(victim, heads, keep=how == 0), self.commons)

    def keep(self, who: int, number: int) -> None:
        charter = self.charter(who)
        ids = [] if charter is None else self.stores[who].authored(self.commons, sorted(charter.limits))
        if ids:
            self.charter_act(who, removals.keep([sorted(ids)[number % len(ids)]]), self.commons)

    def steward(self, who: int, number: int) -> None:
        if self.charter(who) is not None:
            self.charter_act(who, name_stewards(add=[PEOPLE[number % len(PEOPLE)].public]), self.commons)

    def erase(self, who: int, number: int) -> None:
        records = self._records(who, number)
        if records:
            victim = records[number % len(records)]
            self.charter_act(who, erase({victim.id: ["title"]}), self.commons)

    def hide(self, who: int, number: int) -> None:
        if self.charter(who) is not None:
            self.charter_act(who, hide(sha256(f"subject {number % 6}".encode()).digest(), "spam"), self.commons)

    def unhide(self, who: int, number: int) -> None:
        subject = sha256(f"subject {number % 6}".encode()).digest()
        acts = [r for r in self.stores[who].charter(self.commons) if r.header.kind == HIDE]
        ids = [record.id for record in acts if record.content()["entry"] == subject][:32]
        if ids and self.charter(who) is not None:
            self.charter_act(who, show(subject, ids), self.commons)

    def add(self, who: int, number: int) -> None:
        subject = sha256(f"subject {number % 6}".encode()).digest()
        self.subjects.append(subject)
        self._write(who, subject, EDIT, edit_body_new(draft_from_json({"type": "book", "title": f"Title {number}"})))

    def load(self, who: int, number: int) -> None:
        subject = sha256(f"subject {number % 6}".encode()).digest()
        self.subjects.append(subject)
        entry = {
            "type": "book",
            "title": f"Given {number}",
            "source": f"x:{number % 6}",
            "subjects": [f"s{number % 3}"],
        }
        self._write(who, subject, EDIT, edit_body_new(draft_from_json(entry)))

    def edit(self, who: int, number: int) -> None:
        records = self._records(who, number)
        charter = self.charter(who)
        if records and charter is not None:
            view = CommonsMeaning().view(records[0].header.subject, records, charter)
            body = merge_patch(view, {"description": f"Said {number}", "subjects": [f"s{number % 3}"]})
            if body is not None:
                self._write(who, records[0].header.subject, EDIT, body)

    def withdraw(self, who: int, number: int) -> None:
        records = self._records(who, number)
        if records:
            self._write(who, records[0].header.subject, WITHDRAW, withdraw_body("worn out"))

    def meet(self, who: int, number: int) -> None:
        other = number % len(PEOPLE)
        for giver, taker in ((who, other), (other, who)):
            pass_on(self.replicas[giver], self.replicas[taker], self.commons, self.now_ms)

    def _records(self, who: int, number: int) -> list[Record]:
        if not self.subjects:
            return []
        return self.replicas[who].history(self.commons, self.subjects[number % len(self.subjects)])

    def _write(self, who: int, subject: bytes, kind: str, body: bytes) -> None:
        records = self.replicas[who].history(self.commons, subject)
        prev = predecessors([entry_record(record) for record in records], PEOPLE[who].public)
        self.replicas[who].write(
            self.commons, PEOPLE[who], [Draft(Plane.CATALOGUE, subject, prev, kind, body)], self.now_ms
        )


ACTS = ("join", "add", "load", "edit", "withdraw", "erase", "purge", "invite", "meet", "meet", "edit", "add", "join",
        "hide", "unhide", "steward")  # fmt: skip
histories = st.lists(
    st.tuples(st.integers(0, len(PEOPLE) - 1), st.sampled_from(ACTS), st.integers(0, 23)), min_size=4, max_size=40
)
FIRST = [(who, what, 0) for who in (1, 2) for what in ("meet", "join", "meet")] + [(0, "steward", 1)]
FIRST += [(who, "add", who) for who in range(3)] + [(who, "meet", 0) for who in (1, 2, 3, 1)]
PARTINGS = ("remove",) * 9 + ("keep",) * 6 + ("invite", "join") * 3 + ("leave", "erase", "withdraw", "purge")
WRITING = ("add", "edit", "edit", "load")
HIDING = (*WRITING, "hide", "hide", "unhide")


def parting(number: int, length: int, hiding: bool = False) -> list[tuple[int, str, int]]:
    """A history in which people are removed, by stewards and others, and all go on as if they had not heard of it.

    `hiding`: and in which they hide entries.
    """
    dice = Random(number)
    made = list(FIRST)
    for _ in range(length):
        kind = dice.choice(("parting", "writing", "writing", "meeting", "meeting"))
        who = dice.choice((0, 0, 1, 1, 2, 3)) if kind == "parting" else dice.randrange(4)
        what = (
            dice.choice(PARTINGS)
            if kind == "parting"
            else dice.choice(HIDING if hiding else WRITING)
            if kind == "writing"
            else "meet"
        )
        made.append((who, what, dice.randrange(24)))
    return made


partings = st.builds(parting, st.integers(0, 2**32), st.integers(4, 40), st.booleans())


def all_packs(replica: Replica[Charter], commons: CommonsId, plane: int, bytes_max: int = 2_000) -> list[Any]:
    packs: list[Any] = []
    after: Key | None = None
    while True:
        some, after, more = replica.page(commons, plane, after, bytes_max)
        if not more:
            return packs
        packs += some


def pass_on(giver: Replica[Charter], taker: Replica[Charter], commons: CommonsId, now_ms: int) -> None:
    for plane in SYNCED_PLANES:
        packs = all_packs(giver, commons, plane)
        if packs:
            taker.receive(commons, packs, now_ms)
        taker.settle(commons)


def until_quiet(world: World) -> None:
    """Everybody meets everybody until nothing changes."""
    for _ in range(2 * len(PEOPLE)):
        for one in world.replicas:
            for other in world.replicas:
                if one is not other:
                    pass_on(one, other, world.commons, world.now_ms)
        if len({replica.digest(world.commons) for replica in world.replicas}) == 1:
            return
    raise AssertionError("the replicas did not become equal")


def kept(replica: Replica[Charter], commons: CommonsId) -> list[Record]:
    """Its sets, as it gives them to others."""
    packs = [pack for plane in SYNCED_PLANES for pack in all_packs(replica, commons, plane)]
    return [sealed.record for pack in packs for sealed in read_pack(pack).records]


def reached(charter: Charter, catalogue: list[Record]) -> dict[bytes, frozenset[bytes]]:
    """What lies, through `after`, in the past of what removals name (CHARTER-35)."""
    found = {}
    for key, limits in charter.limits.items():
        theirs = {record.id: record for record in catalogue if record.header.author == key}
        each = []
        for named in limits:
            behind: set[bytes] = set()
            more = set(named)
            while more:
                one = more.pop()
                if one in theirs and one not in behind:
                    behind.add(one)
                    more.add(theirs[RecordId(one)].header.after)
            each.append(behind)
        found[key] = frozenset(set.intersection(*each))
    return found


def check_against_plain_sets(replica: Replica[Charter], commons: CommonsId) -> set[bytes]:
    """Sets, views and sums, computed from nothing, equal what the replica says; the entries that are shown."""
    records = kept(replica, commons)
    charter_records = [r for r in records if r.header.plane == Plane.CHARTER]
    catalogue = [r for r in records if r.header.plane == Plane.CATALOGUE]
    charter = judge(charter_records, commons)
    charter = charter.reaching(reached(charter, catalogue))
    assert charter.set_ids == {record.id for record in charter_records}
    assert all(record.header.author in charter.admitted and commons_of(record) == commons for record in catalogue)
    views = 0
    shown: set[bytes] = set()
    for subject in {record.header.subject for record in catalogue}:
        about = [record for record in catalogue if record.header.subject == subject]
        erased = {r.id: f for r in about if (f := charter.erased_fields(r.id, r.header.author)) is not None}
        view = fold(subject, [entry_record(r, charter.counts(r.id, r.header.author)) for r in about], erased)
        views += int.from_bytes(view_digest(subject, view.canonical()), "big")
        if view.shown and subject not in charter.hidden:
            shown.add(subject)
    summed = [published(add(EMPTY, [r.id for r in some])) for some in (charter_records, catalogue)]
    digest = replica.digest(commons)
    assert digest.records == len(records)
    assert digest.fingerprint == fingerprint(*summed)
    assert digest.state == state(CommonsMeaning.vocabulary_version, charter.digest, views % 2**256)
    assert digest.entries == len(shown)
    assert charter.hidden == (replica.charter(commons) or charter).hidden
    return shown


def search(store: Any, commons: CommonsId, text: str = "") -> set[bytes]:
    """What a search finds, which counts it, too."""
    page = store.search(Query(text, (commons,), facets=("type",), limit=500))
    typed = sum("type" in view_from_bytes(hit.subject, hit.view).registers for hit in page.hits)  # a removal may cut it
    assert page.total == len(page.hits) and typed == sum(count for _, count in page.facets["type"])
    return {hit.subject for hit in page.hits}


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@RELAXED
@given(histories | partings)
def test_after_any_history_all_replicas_are_equal_and_hold_what_plain_sets_hold(
    kind: str, history: list[tuple[int, str, int]]
) -> None:
    with stores(kind) as make:
        world = World(make)
        for who, what, number in history:
            world.act(who, what, number)
        until_quiet(world)
        for replica, store in zip(world.replicas, world.stores, strict=True):
            shown = check_against_plain_sets(replica, world.commons)
            assert search(store, world.commons) == shown
            assert {
                entry for word in ("title", "given", "said") for entry in search(store, world.commons, word)
            } <= shown


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@RELAXED
@given(histories | partings, st.randoms(use_true_random=False))
def test_order_grouping_and_repeats_of_packs_change_nothing(
    kind: str, history: list[tuple[int, str, int]], random: Any
) -> None:
    with stores(kind) as make:
        world = World(make)
        for who, what, number in history:
            world.act(who, what, number)
        until_quiet(world)
        wanted = world.replicas[0].digest(world.commons)
        late = Replica(make(), CommonsMeaning(), dice())
        late.follow(world.commons)
        for _ in range(3):  # what came before its door is refused, and comes again at the next meeting
            for plane in SYNCED_PLANES:
                packs = all_packs(world.replicas[0], world.commons, plane, bytes_max=300)
                packs += random.choices(packs, k=3) if packs else []
                random.shuffle(packs)
                stream = iter(packs)
                while group := list(islice(stream, random.randint(1, 4))):
                    late.receive(world.commons, group, world.now_ms)
                late.settle(world.commons)
        assert late.digest(world.commons) == wanted
        check_against_plain_sets(late, world.commons)


@RELAXED
@given(histories | partings)
def test_a_rebuild_and_a_restart_change_nothing(history: list[tuple[int, str, int]]) -> None:
    with stores("sqlite") as make:
        world = World(make)
        for who, what, number in history:
            world.act(who, what, number)
        for replica, store in zip(world.replicas, world.stores, strict=True):
            before = replica.digest(world.commons)
            again = Replica(store, CommonsMeaning(), dice())
            assert again.digest(world.commons) == before
            assert replica.rebuild(world.commons) == before


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_what_a_purge_takes_out_of_the_charter_leaves_the_store(kind: str) -> None:
    with stores(kind) as make:
        world = World(make)
        for who, what, number in ((1, "meet", 0), (1, "join", 0), (1, "meet", 0), (2, "meet", 0), (2, "join", 0)):
            world.act(who, what, number)
        world.act(0, "purge", 1)  # which knows nothing of what the other does meanwhile
        world.act(1, "invite", 0)
        world.act(2, "meet", 1)
        before = {record.id for record in world.stores[2].charter(world.commons)}
        world.act(2, "meet", 0)
        charter = world.charter(2)
        assert charter is not None
        assert before - charter.set_ids == {world.invited}
        assert {record.id for record in world.stores[2].charter(world.commons)} == charter.set_ids
        assert world.replicas[2].rebuild(world.commons) == world.replicas[2].digest(world.commons)


def test_the_partings_reach_what_they_are_there_to_test() -> None:
    met: Counter[str] = Counter()
    for number in range(40):
        with stores("memory") as make:
            world = World(make)
            for who, what, argument in parting(number, 30):
                world.act(who, what, argument)
            until_quiet(world)
            charter = world.charter(0)
            assert charter is not None
            met.update(one.how for one in charter.former)
            met["two removals of one person"] += any(len(limits) > 1 for limits in charter.limits.values())
            for record in kept(world.replicas[0], world.commons):
                if record.header.plane == Plane.CATALOGUE and record.header.author in charter.limits:
                    met[f"counts: {charter.counts(record.id, record.header.author)}"] += 1
                    met["kept"] += record.id in charter.kept
    assert {name: count for name, count in met.items() if not count} == {}, met
    assert met.keys() == {
        "left", "removed", "unseated", "two removals of one person", "kept", "counts: True", "counts: False",
    }, met  # fmt: skip


def test_the_hidings_reach_what_they_are_there_to_test() -> None:
    hidden = 0
    for number in range(10):
        with stores("memory") as make:
            world = World(make)
            for who, what, argument in parting(number, 30, hiding=True):
                world.act(who, what, argument)
            until_quiet(world)
            charter = world.charter(0)
            assert charter is not None
            hidden += bool(charter.hidden)
    assert hidden > 2


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_what_a_replica_withholds_it_neither_keeps_nor_gives_and_its_sets_stay_as_they_are(kind: str) -> None:
    with stores(kind) as make:
        world = World(make)
        for who, what, number in ((1, "meet", 0), (1, "join", 0), (1, "add", 1), (1, "add", 2), (1, "meet", 0)):
            world.act(who, what, number)
        subject, commons = world.subjects[0], world.commons
        host, other = world.replicas[:2]
        assert host.withhold(commons, subject, away=True) == 1
        world.act(1, "edit", 0)  # about the same subject
        for _ in range(2):
            pass_on(other, host, commons, world.now_ms)
        assert [record.body for record in host.history(commons, subject)] == [None, None]
        assert host.digest(commons).fingerprint == other.digest(commons).fingerprint
        assert search(world.stores[0], commons) == set(world.subjects) - {subject} and not host.wanted_bodies(commons)
        again = Replica(world.stores[0], CommonsMeaning(), dice())
        assert again.digest(commons) == host.digest(commons) == host.rebuild(commons)

        late = Replica(make(), CommonsMeaning(), dice())
        late.follow(commons)
        pass_on(host, late, commons, world.now_ms)
        told = late.receive(commons, all_packs(host, commons, Plane.CATALOGUE), world.now_ms)
        assert dict(told.refused) == dict.fromkeys((r.id for r in host.history(commons, subject)), "no_body")
        pass_on(other, late, commons, world.now_ms)
        assert late.digest(commons) == other.digest(commons)

        host.withhold(commons, subject, away=False)
        assert set(host.wanted_bodies(commons)) == {record.id for record in host.history(commons, subject)}
        pass_on(other, host, commons, world.now_ms)
        assert host.digest(commons) == other.digest(commons)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@RELAXED
@given(st.integers(1, 6), st.integers(0, 6), st.randoms(use_true_random=False))
def test_words_of_who_was_removed_count_up_to_the_cut_in_whatever_order_they_come(
    kind: str, words: int, cut: int, random: Any
) -> None:
    with stores(kind) as make:
        world = World(make)
        for who, what, number in [(1, "meet", 0), (1, "join", 0)] + [(1, "add", n) for n in range(words)]:
            world.act(who, what, number)
        world.act(0, "meet", 1)
        bob = PEOPLE[1].public
        ids = world.stores[0].authored(world.commons, [bob])
        written = [r.id for r in sorted((s.record for s in world.stores[0].sealed(ids)), key=lambda r: r.header.time)]
        seen = written[:cut]
        world.charter_act(0, removals.remove(bob, {(bob, 1): seen[-1:]}, keep=False), world.commons)
        late = Replica(make(), CommonsMeaning(), dice())
        late.follow(world.commons)
        late.receive(world.commons, all_packs(world.replicas[0], world.commons, 0), world.now_ms)
        late.settle(world.commons)
        random.shuffle(written)
        for identifier in written:
            packs, _ = world.replicas[0].packs(world.commons, 1, [identifier], 1 << 20)
            late.receive(world.commons, packs, world.now_ms)
            check_against_plain_sets(late, world.commons)
        assert late.digest(world.commons) == world.replicas[0].digest(world.commons)
        assert late.digest(world.commons).entries == len(seen)
        world.charter_act(0, removals.keep(written[:2]), world.commons)
        pass_on(world.replicas[0], late, world.commons, world.now_ms)
        check_against_plain_sets(late, world.commons)
        assert late.digest(world.commons).entries == len({*seen, *written[:2]})


class Failing(Exception):
    """A disk that fills up."""


@RELAXED
@given(histories | partings, st.integers(0, 30))
def test_a_failed_write_leaves_memory_as_the_disk_is(history: list[tuple[int, str, int]], at: int) -> None:
    with stores("sqlite") as make:
        world = World(make)
        failing = world.replicas[0]
        store = world.stores[0]
        put_state = store.put_state

        def fail(*arguments: Any) -> None:
            raise Failing

        for number, (who, what, argument) in enumerate(history):
            store.put_state = fail if number == at else put_state  # type: ignore[method-assign]
            try:
                world.act(who, what, argument)
            except Failing:
                pass
        store.put_state = put_state  # type: ignore[method-assign]
        assert failing.digest(world.commons) == Replica(store, CommonsMeaning(), dice()).digest(world.commons)
        until_quiet(world)
        check_against_plain_sets(failing, world.commons)
