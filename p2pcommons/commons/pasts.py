"""What each act of an assembly had seen: the pasts of plane 0 as bits, and who was a member in them (chapter 22).

A past is an integer: one bit for each door, act and deed among a record's ancestors, in an order in which ancestors
come first. Bits mean nothing outside one `Pasts`. Ballots and sheets have no bit: they are gathered by closings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from p2pcommons.commons.assembly_bodies import AssemblyForm, Cast, Sheet, read_assembly
from p2pcommons.commons.cuts import NOTHING, Cut
from p2pcommons.commons.doors import APPROVE, Approval, Invite, read_form
from p2pcommons.commons.grounding import Door, Grounds, Way
from p2pcommons.commons.membership import Membership
from p2pcommons.commons.organisation_bodies import Declare, read_declaration
from p2pcommons.commons.removal_bodies import RemovalForm, read_removal
from p2pcommons.core.record import Record


class Deed(NamedTuple):
    """A record of this chapter in its place."""

    id: bytes
    bit: int
    past: int  # bits among its ancestors
    author: bytes
    time: int
    form: AssemblyForm | RemovalForm | Declare
    prev: tuple[bytes, ...]


class Arrival(NamedTuple):
    """A join in its place."""

    id: bytes
    bit: int
    past: int  # that of its way too: a join names nothing else
    key: bytes
    way: bytes  # the author of its way
    invited: bool  # by an invite, and no opening


class Approved(NamedTuple):
    """An approval in its place."""

    id: bytes
    bit: int
    author: bytes


class Ballot(NamedTuple):
    """A ballot of the set, in its place."""

    id: bytes
    author: bytes
    past: int
    form: Cast
    prev: tuple[bytes, ...]


class Sight(NamedTuple):
    """How many keys some record had seen let in, at most."""

    minus_keys: int  # below zero, so that the largest come first
    bit: int
    past: int


class Pasts:
    """The deeds, ballots and pasts of the set of plane 0. Filled by the constructor, O(edges)."""

    __slots__ = (
        "_bits",
        "_following",
        "_members",
        "_membership",
        "_people",
        "_persons",
        "_reach",
        "_ways",
        "all",
        "approvals",
        "approving",
        "ballots",
        "casts",
        "cut_in",
        "deeds",
        "door_pasts",
        "events",
        "let_in",
        "sheets",
        "signed",
        "unseated",
        "who",
    )

    def __init__(self, grounds: Grounds, membership: Membership) -> None:
        self.deeds: list[Deed] = []  # ancestors first
        self.events: list[Deed | Arrival | Sight] = []  # the same, with all that outcomes rest on besides
        self.ballots: dict[bytes, Ballot] = {}
        self.sheets: dict[bytes, tuple[bytes, ...]] = {}  # what each names
        self.approvals: dict[bytes, list[Approved]] = {}  # by what they approve
        self.approving: dict[bytes, int] = {}  # the bit of each
        self.signed: dict[bytes, dict[bytes, int]] = {}  # their bits, by what they approve and by author
        self.let_in = {door.id: door.key for door in grounds.doors}
        self.door_pasts: dict[bytes, int] = {}
        self.cut_in: Callable[[int], Cut] = lambda within: NOTHING  # what removals of a past cut
        self.unseated: Callable[[int], int] = lambda within: 0  # joins of a past that seat nobody
        self.casts: Callable[[Ballot], bool | None] = lambda ballot: None  # whether an organisation that cast it may
        self._ways = {door.id: grounds.ways[door.way] for door in grounds.doors if door.id != door.way}
        self._membership = membership
        self._persons: dict[int, int] = {}
        self._people: dict[int, Mapping[bytes, bytes]] = {}
        self._members: dict[tuple[int, frozenset[bytes]], Mapping[bytes, bytes]] = {}
        bits = {one.id: one.bit for some in (grounds.doors, grounds.acts) for one in some}
        doors = _union(bits[door.id] for door in grounds.doors)
        self.who = doors | _union(act.bit for act in membership.valid)  # bits that say who is in
        self._following = 1 << (len(bits) + sum(len(some) for some in grounds.approvals.values()))
        self.all = 0
        self._bits = bits
        self._reach: dict[bytes, int] = {}  # bits of a record and its ancestors
        for record in grounds.records.values():
            if record.id in membership.set_ids:
                self._place(record)

    def add(self, record: Record) -> None:
        """Take one more record, whose `prev` are all here and that is no door and no act."""
        self._place(record)

    @property
    def next_bit(self) -> int:
        """The bit of the next record that has one."""
        return self._following

    def let_key_in(self, record: Record, door: Door, way: Way) -> None:
        """Take one more join, with its door (of `next_bit`) and its way; its `prev` are here."""
        self.let_in[door.id] = door.key
        self._ways[door.id] = way
        self._bits[door.id] = door.bit
        self.who |= door.bit
        self._following = door.bit << 1
        self._place(record)

    def past(self, record: Record) -> int | None:
        """The bits among a record's ancestors; None where some of these are not here."""
        past = 0
        for parent in record.header.prev:
            reach = self._reach.get(parent)
            if reach is None:
                return None
            past |= reach
        return past

    def reach(self, identifier: bytes) -> int:
        """The bits of a record of the set and of its ancestors: what a join by it has in its past."""
        return self._reach[identifier]

    def __len__(self) -> int:
        return len(self._reach)

    def __contains__(self, identifier: bytes) -> bool:
        return identifier in self._reach

    def _place(self, record: Record) -> None:
        past = 0
        for parent in record.header.prev:
            past |= self._reach[parent]
        bit = self._bits.get(record.id, 0)
        if record.id in self.let_in:
            self.door_pasts[record.id] = past
            if (way := self._ways.get(record.id)) is not None:
                invited = isinstance(way.form, Invite)
                self.events.append(Arrival(record.id, bit, past, record.header.author, way.author, invited))
        following = self._following
        if bit or self._take(record, past, following):
            self.events.append(Sight(-(past & self.who).bit_count(), bit or following, past))
        elif not self._approves(record, following):
            self._reach[record.id] = past
            return
        if not bit:
            bit, self._following = following, following << 1
        self.all |= bit
        self._reach[record.id] = past | bit

    def _take(self, record: Record, past: int, bit: int) -> bool:
        """Sort a record of these chapters; whether it is a deed, and has the bit."""
        header, body = record.header, record.body or b""
        form: AssemblyForm | RemovalForm | Declare | None = read_assembly(header.kind, body)
        if form is None:
            form = read_removal(header.kind, body) or read_declaration(header.kind, body)
        if form is None:
            return False
        if isinstance(form, Cast):
            self.ballots[record.id] = Ballot(record.id, header.author, past, form, header.prev)
        elif isinstance(form, Sheet):
            self.sheets[record.id] = header.prev
        else:
            self.deeds.append(Deed(record.id, bit, past, header.author, header.time, form, header.prev))
            self.events.append(self.deeds[-1])
            return True
        return False

    def _approves(self, record: Record, bit: int) -> bool:
        form = read_form(record.header.kind, record.body or b"") if record.header.kind == APPROVE else None
        if not isinstance(form, Approval):
            return False
        self.approvals.setdefault(form.act, []).append(Approved(record.id, bit, record.header.author))
        self.approving[record.id] = bit
        by_author = self.signed.setdefault(form.act, {})
        by_author[record.header.author] = by_author.get(record.header.author, 0) | bit
        return True

    def members(self, within: int) -> Mapping[bytes, bytes]:
        """The keys that are members in this past, each with the smallest of its person."""
        cut = self.cut_in(within)
        key = (within & self.who & ~cut.doors, cut.gone)
        found = self._members.get(key)
        if found is None:
            people = self._membership.people(key[0])
            found = {one: person for one, person in people.items() if one not in cut.gone} if cut.gone else people
            self._members[key] = found
        return found

    def people(self, within: int) -> Mapping[bytes, bytes]:
        """The keys admitted in this past, each with the smallest of its person, who is out or not."""
        within &= self.who
        found = self._people.get(within)
        if found is None:
            found = self._people[within] = self._membership.people(within)
        return found

    def persons(self, within: int) -> int:
        """How many persons were let in and seated, in this past, those who are out by now included."""
        within &= self.who & ~self.unseated(within)
        found = self._persons.get(within)
        if found is None:
            found = self._persons[within] = len(set(self._membership.people(within).values()))
        return found

    def after(self, records: Iterable[Record]) -> dict[bytes, int]:
        """The bits that have each deed among their ancestors. `records`: all of the set, ancestors first; O(edges)."""
        deeds = {deed.id: deed.bit for deed in self.deeds}
        bits = {**self._bits, **deeds}
        found: dict[bytes, int] = {}
        following: dict[bytes, int] = {}  # of a record whose descendants are all read
        for record in reversed(list(records)):
            later = following.pop(record.id, 0)
            if record.id in deeds:
                found[record.id] = later
            if record.id in self._reach and (later := later | bits.get(record.id, 0)):
                for parent in record.header.prev:
                    following[parent] = following.get(parent, 0) | later
        return found

    def gathered(self, prev: tuple[bytes, ...]) -> list[Ballot]:
        """The ballots that these ids name, themselves or through sheets, each once."""
        found: dict[bytes, Ballot] = {}
        more, met = list(prev), set(prev)
        while more:
            identifier = more.pop()
            ballot = self.ballots.get(identifier)
            if ballot is not None:
                found[identifier] = ballot
                continue
            fresh = [one for one in self.sheets.get(identifier, ()) if one not in met]
            met.update(fresh)
            more.extend(fresh)
        return list(found.values())


def ancestors(records: Mapping[bytes, Record], identifier: bytes) -> set[bytes]:
    """The ids of a record's ancestors, without its own."""
    found, more = set[bytes](), [identifier]
    while more:
        fresh = [parent for parent in records[more.pop()].header.prev if parent not in found]
        found.update(fresh)
        more.extend(fresh)
    return found


def _union(bits: Iterable[int]) -> int:
    union = 0
    for bit in bits:
        union |= bit
    return union
