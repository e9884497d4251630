"""Nodes of the small world: a person with a key, and the replica that the node keeps."""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

from p2pcommons.commons.charter import Charter, judge
from p2pcommons.commons.charter_bodies import found, join_open, open_joining, purge
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.record import ZEROS, CommonsId
from p2pcommons.errors import LocalProtocolError
from p2pcommons.store.memory import MemoryStore
from p2pcommons.sync.library import Library
from p2pcommons.sync.replica import Draft, Replica
from simulation.shelf import Shelf, key_of, records_of
from simulation.world import dice

PEOPLE = ("alice", "bob", "carol")

Sets = tuple[set[bytes], set[bytes]]


class Node(Protocol):
    """One person's node in a world of one commons, founded by the first of `PEOPLE`."""

    @property
    def library(self) -> Library: ...
    def sets(self) -> Sets: ...
    def write(self, works: int, now_ms: int) -> None: ...
    def join(self, now_ms: int) -> None: ...
    def purge(self, person: str, now_ms: int) -> None: ...
    def should_hold(self, other: Node) -> Sets:
        """What both should hold after a healthy session: the model, in plain sets."""
        ...

    def state(self) -> object:
        """What nodes with the same sets agree about."""
        ...


class ShelfNode:
    """The control."""

    def __init__(self, person: str) -> None:
        self.person = person
        self.shelf = Shelf()
        self.works = 0
        self.doors = {name: records_of(name, 0, [number]) for number, name in enumerate(PEOPLE)}
        if person == PEOPLE[0]:
            self.shelf.put(self.doors[person])

    @property
    def library(self) -> Library:
        return self.shelf

    def sets(self) -> Sets:
        return self.shelf.ids()

    def join(self, now_ms: int) -> None:
        if self.sets()[0]:
            self.shelf.put(self.doors[self.person])

    def write(self, works: int, now_ms: int) -> None:
        (door,) = self.doors[self.person]
        if door.record.id in self.sets()[0]:
            self.shelf.put(records_of(self.person, 1, range(self.works, self.works + works)))
            self.works += works

    def purge(self, person: str, now_ms: int) -> None:
        """The control knows no purge."""

    def should_hold(self, other: Node) -> Sets:
        here, there = self.sets(), other.sets()
        return here[0] | there[0], here[1] | there[1]

    def state(self) -> object:
        return self.sets()


class ReplicaNode:
    """The replica of a node, over the store in memory."""

    def __init__(self, person: str) -> None:
        self.person = person
        self.key = key_of(person)
        self.store = MemoryStore()
        self.replica: Replica[Charter] = Replica(self.store, CommonsMeaning(), dice(PEOPLE.index(person)))
        self.commons = _founded()[0]
        self.works = 0
        self.replica.follow(self.commons)
        if person == PEOPLE[0]:
            for pack in _founded()[1]:
                self.replica.receive(self.commons, [pack], 1_750_000_000_000)

    @property
    def library(self) -> Library:
        return self.replica

    def sets(self) -> Sets:
        planes = [{key.id for key in self.store.keys(self.commons, plane, None, 1_000_000)} for plane in (0, 1)]
        return planes[0], planes[1]

    def join(self, now_ms: int) -> None:
        ways = [record.id for record in self.store.charter(self.commons) if record.header.kind == "charter.open"]
        charter = self.replica.charter(self.commons)
        if ways and charter and self.key.public not in charter.admitted:
            made = join_open(recovery=bytes(32), stamp=bytes(8))
            self._write(Draft(0, ZEROS, ways, made.kind, encode_body(made.body)), now_ms=now_ms)

    def write(self, works: int, now_ms: int) -> None:
        charter = self.replica.charter(self.commons)
        if charter is not None and self.key.public in charter.admitted:
            drafts = []
            for number in range(self.works, self.works + works):
                subject = sha256(f"{self.person} {number // 2}".encode()).digest()  # two records for each entry
                body = encode_body({"set": {"title": f"work {number}", "type": "text"}})
                drafts.append(Draft(1, subject, (), "entry.edit", body))
            self._write(*drafts, now_ms=now_ms)
            self.works += works

    def purge(self, person: str, now_ms: int) -> None:
        charter = self.replica.charter(self.commons)
        if charter is not None and self.person == PEOPLE[0]:
            made = purge([key_of(person).public])
            self._write(Draft(0, ZEROS, sorted(charter.heads), made.kind, encode_body(made.body)), now_ms=now_ms)

    def _write(self, *drafts: Draft, now_ms: int) -> None:
        try:
            self.replica.write(self.commons, self.key, drafts, now_ms)
        except LocalProtocolError as error:
            assert error.code == "not_admitted"  # a purge came in between: who is purged by name never returns

    def should_hold(self, other: Node) -> Sets:
        assert isinstance(other, ReplicaNode)
        records = {r.id: r for node in (self, other) for r in node.store.charter(self.commons)}
        charter = judge(records.values(), self.commons)
        works = self.sets()[1] | other.sets()[1]
        kept = [*self.store.sealed(works), *other.store.sealed(works)]
        return set(charter.set_ids), {s.record.id for s in kept if s.record.header.author in charter.admitted}

    def state(self) -> object:
        return self.replica.digest(self.commons)


_FOUNDED: list[tuple[CommonsId, list[object]]] = []


def _founded() -> tuple[CommonsId, list[object]]:
    """One commons for all worlds, with joining open to whoever asks, and the packs of its charter."""
    if not _FOUNDED:
        store = MemoryStore()
        replica: Replica[Charter] = Replica(store, CommonsMeaning(), dice(99))
        key, now_ms = key_of(PEOPLE[0]), 1_740_000_000_000
        act = found("A commons", entropy=bytes(32), recovery=bytes(32))
        commons = replica.found(key, act.kind, act.body, now_ms)
        act = open_joining(stamp_bits=0)
        heads = sorted(replica.charter(commons).heads)  # type: ignore[union-attr]
        replica.write(commons, key, [Draft(0, ZEROS, heads, act.kind, encode_body(act.body))], now_ms)
        packs, _, _ = replica.page(commons, 0, None, 1_000_000)
        _FOUNDED.append((commons, packs))
    return _FOUNDED[0]
