"""What stands on what: the grounded records of plane 0, and the doors among them (chapter 21).

Whether a record is grounded depends on its past alone and never changes. Here nobody is purged and nobody has
rights: that is `membership`'s. Pasts are kept as bits of the few records that matter to others: doors, acts and
approvals, in an order in which ancestors come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from p2pcommons.commons.doors import (
    ERASE,
    OPEN,
    Approval,
    Device,
    Form,
    Founding,
    Invite,
    Join,
    Opening,
    Purge,
    Rotation,
    Stewards,
    act_hash,
    device_message,
    join_message,
    read_form,
    recovery_hash,
)
from p2pcommons.commons.stamp import stamp_holds
from p2pcommons.core.identity import TAG_ROTATE
from p2pcommons.core.record import Record
from p2pcommons.core.seal import Verifier

_RIGHTS_KINDS: Final = frozenset((ERASE, OPEN))  # whose authors' rights are asked for in their own past


class Door(NamedTuple):
    """What lets a key in, if it stands."""

    id: bytes
    bit: int
    key: bytes  # whom it lets in
    way: bytes  # the invite or opening it names, else itself
    maker: bytes | None  # author of that way, `old`, or the author of `device.add`; None: the founding record
    makers_doors: int  # bits of the maker's doors among its ancestors
    link: bool  # whether key and maker are one person
    recovery: bytes | None


class Act(NamedTuple):
    """A purge or an act on stewards: valid when it has its quorum in its own past."""

    id: bytes
    bit: int
    author: bytes
    past: int  # bits among its ancestors
    hash: bytes
    form: Purge | Stewards


class Approving(NamedTuple):
    """One approval of an act."""

    bit: int
    author: bytes


class Way(NamedTuple):
    """A grounded record that others can join by."""

    id: bytes
    author: bytes
    form: Invite | Opening | Founding


class Grounds:
    """The grounded records of one commons. Filled by `ground`, one record at a time, ancestors first."""

    __slots__ = (
        "_bits",
        "_check",
        "_doors_of",
        "_recoverable",
        "acts",
        "approvals",
        "commons",
        "doors",
        "founder",
        "founding",
        "missing",
        "pasts",
        "records",
        "waiting",
        "ways",
    )

    def __init__(self, commons: bytes, check: Verifier) -> None:
        self.commons = commons
        self.founding: Founding | None = None
        self.founder = b""
        self.records: dict[bytes, Record] = {}  # grounded, ancestors first
        self.doors: list[Door] = []  # ancestors first
        self.acts: list[Act] = []  # ancestors first
        self.approvals: dict[bytes, list[Approving]] = {}  # by act hash
        self.ways: dict[bytes, Way] = {}
        self.pasts: dict[bytes, int] = {}  # bits among the ancestors of records whose author needs a right
        self.waiting: frozenset[bytes] = frozenset()
        self.missing: frozenset[bytes] = frozenset()
        self._doors_of: dict[bytes, int] = {}
        self._recoverable: dict[tuple[bytes, bytes], int] = {}  # a key's doors that hold this recovery hash
        self._bits = 0
        self._check = check

    def doors_of(self, key: bytes) -> int:
        """The bits of a key's doors, standing or not."""
        return self._doors_of.get(key, 0)

    def number_from(self, bit: int) -> None:
        """The next door, act or approval has this bit: those before it are others' by now."""
        self._bits = bit.bit_length() - 1

    def add(self, record: Record, past: int) -> int | None:
        """Take a record whose `prev` are all grounded, if it is grounded; its own bit (0 if it has none) or None."""
        header = record.header
        form = read_form(header.kind, record.body or b"")
        bit = 1 << self._bits
        door = self._door(record, form, past, bit)
        # CHARTER-3: a door of its author is among its ancestors, or it is one itself.
        if not (door and door.key == header.author) and not past & self._doors_of.get(header.author, 0):
            return None
        self.records[record.id] = record
        if header.kind in _RIGHTS_KINDS:
            self.pasts[record.id] = past
        if isinstance(form, Invite | Opening) or (isinstance(form, Founding) and door is not None and form.open):
            self.ways[record.id] = Way(record.id, header.author, form)
        if door is not None:
            self.doors.append(door)
            self._doors_of[door.key] = self._doors_of.get(door.key, 0) | bit
            if door.recovery is not None:
                recoverable = (door.key, door.recovery)
                self._recoverable[recoverable] = self._recoverable.get(recoverable, 0) | bit
        elif isinstance(form, Purge | Stewards):
            hashed = act_hash(self.commons, header.kind, record.body or b"")
            self.acts.append(Act(record.id, bit, header.author, past, hashed, form))
        elif isinstance(form, Approval):
            self.approvals.setdefault(form.act, []).append(Approving(bit, header.author))
        else:
            return 0
        self._bits += 1
        return bit

    def _door(self, record: Record, form: Form | None, past: int, bit: int) -> Door | None:
        if isinstance(form, Join):
            return self._join(record, form, past, bit)
        if isinstance(form, Rotation):
            return self._rotation(record, form, past, bit)
        if isinstance(form, Device):
            return self._device(record, form, past, bit)
        if isinstance(form, Founding) and record.id == self.commons:
            if form.quorum > len(form.stewards | {record.header.author}):
                return None
            self.founding, self.founder = form, record.header.author
            return Door(record.id, bit, self.founder, record.id, None, 0, False, form.recovery)
        return None

    def _join(self, record: Record, join: Join, past: int, bit: int) -> Door | None:
        prev, author = record.header.prev, record.header.author
        way = self.ways.get(prev[0]) if len(prev) == 1 else None
        if way is None or not joins(join, way, author, self.commons, self._check):
            return None
        makers = past & self._doors_of[way.author]
        return Door(record.id, bit, author, way.id, way.author, makers, False, join.recovery)

    def _rotation(self, record: Record, rotation: Rotation, past: int, bit: int) -> Door | None:
        author, old = record.header.author, rotation.old
        makers = past & self._doors_of.get(old, 0)
        if author == old or not makers:
            return None
        hashed = recovery_hash(rotation.recovery_key)
        if not makers & self._recoverable.get((old, hashed), 0):
            return None
        if not self._check(rotation.recovery_key, rotation.proof, TAG_ROTATE + self.commons + author + rotation.signed):
            return None
        return Door(record.id, bit, author, record.id, old, makers, True, rotation.next)

    def _device(self, record: Record, device: Device, past: int, bit: int) -> Door | None:
        author = record.header.author
        makers = past & self._doors_of.get(author, 0)
        # A key that named itself would be its own door, and stand on nothing.
        if device.key == author or not makers:
            return None
        if not self._check(device.key, device.proof, device_message(self.commons, author, device.key)):
            return None
        return Door(record.id, bit, device.key, record.id, author, makers, True, None)


def joins(join: Join, way: Way, author: bytes, commons: bytes, check: Verifier) -> bool:
    """Whether a join by this way has the work and the proof that it asks for (CHARTER-5, CHARTER-6)."""
    if not stamp_holds(commons, way.id, author, join.stamp, way.form.stamp_bits):
        return False
    if not isinstance(way.form, Invite):
        return True
    return join.proof is not None and check(way.form.public, join.proof, join_message(commons, way.id, author))


def ground(given: Mapping[bytes, Record], commons: bytes, check: Verifier) -> Grounds:
    """The grounded ones of these plane-0 records (with bodies) of one commons (CHARTER-3 to CHARTER-8); O(edges)."""
    grounds = Grounds(commons, check)
    children: dict[bytes, list[bytes]] = {}
    for child, record in given.items():
        for parent in record.header.prev:
            children.setdefault(parent, []).append(child)
    unmet: dict[bytes, int] = {record.id: len(record.header.prev) for record in given.values()}
    unread = {parent: len(ids) for parent, ids in children.items()}
    reach: dict[bytes, int] = {}  # bits of a record and its ancestors, while a child has not read them
    ready = [identifier for identifier, count in unmet.items() if count == 0]
    never: list[bytes] = []
    while ready:
        identifier = ready.pop()
        record = given[identifier]
        past = 0
        for parent in record.header.prev:
            past |= reach[parent]
            unread[parent] -= 1
            if not unread[parent]:
                del reach[parent]
        bit = grounds.add(record, past)
        if bit is None:
            never.append(identifier)
            continue
        if identifier in children:
            reach[identifier] = past | bit
        for child in children.get(identifier, ()):
            unmet[child] -= 1
            if not unmet[child]:
                ready.append(child)
    hopeless: set[bytes] = set()
    while never:
        identifier = never.pop()
        if identifier not in hopeless:
            hopeless.add(identifier)
            never.extend(children.get(identifier, ()))
    waiting = given.keys() - grounds.records.keys() - hopeless
    grounds.waiting = frozenset(waiting)
    grounds.missing = frozenset(p for i in waiting for p in given[i].header.prev if p not in given)
    return grounds
