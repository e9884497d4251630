"""A charter with one more record, where that changes no more than the set and its heads: what most records do.

Ballots, proposals, closings, approvals and unknown kinds let nobody in and take nobody out; an invite is one more way in,
and a join, where nobody was ever purged, one more member. Equal to judging all records anew; where that cannot be said
beforehand, the answer is to judge them anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from p2pcommons.commons.doors import BALLOT_PREFIX, ERASE, Approval, Invite, Join, read_form
from p2pcommons.commons.former import is_decisive
from p2pcommons.commons.grounding import Way, joins
from p2pcommons.commons.removal_bodies import read_removal
from p2pcommons.core.record import Record
from p2pcommons.core.seal import Verifier


class Place(NamedTuple):
    """Where a record of the set stands."""

    time: int
    author: bytes
    prev: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """The shape of a set of plane 0. Grows with it: what is in no set yet, or no more, is asked for by nobody."""

    places: dict[bytes, Place] = field(default_factory=dict)  # of the set, at least
    doors: dict[bytes, frozenset[bytes]] = field(default_factory=dict)  # the doors of each key
    ways: dict[bytes, Way] = field(default_factory=dict)  # by which others can join
    named: frozenset[bytes] = frozenset()  # keys that were or may become stewards, whether they are in or not
    is_calm: bool = False  # nobody was ever purged, and no way closed: all doors stand

    def invites(self, record: Record) -> Way | None:
        """The way in that a record is, whose `prev` are all of the set and whose author is admitted: an invite."""
        header = record.header
        form = read_form(header.kind, record.body or b"")
        if not self.is_calm or not isinstance(form, Invite) or not self._stands(header.author, header.prev):
            return None
        return Way(record.id, header.author, form)

    def lets_in(self, record: Record, commons: bytes, check: Verifier) -> tuple[Way, Join] | None:
        """By which way a record, whose `prev` are all of the set, lets in a key that was never heard of."""
        header = record.header
        form = read_form(header.kind, record.body or b"") if self.is_calm else None
        way = self.ways.get(header.prev[0]) if len(header.prev) == 1 else None
        if not isinstance(form, Join) or way is None or header.author in self.doors or header.author in self.named:
            return None
        return (way, form) if joins(form, way, header.author, commons, check) else None

    def takes(self, record: Record) -> bool:
        """Whether a record, whose `prev` are all of the set and whose author is admitted, is one that grows."""
        header, body = record.header, record.body or b""
        form = read_form(header.kind, body)
        if header.kind == ERASE or not (form is None or isinstance(form, Approval)):
            return False
        if read_removal(header.kind, body) is not None or is_decisive(record):
            return False
        return self._stands(header.author, header.prev)

    def put(self, record: Record) -> None:
        """A record of the set from now on."""
        header = record.header
        self.places[record.id] = Place(header.time, header.author, header.prev)

    def put_way(self, way: Way) -> None:
        """One more way in."""
        self.ways[way.id] = way

    def put_door(self, record: Record) -> None:
        """One more key."""
        self.doors[record.header.author] = frozenset((record.id,))

    def is_older(self, anchor: bytes | None, author: bytes, record: Record) -> bool:
        """Whether a key's last record (or the door that let it in) comes before this one of its own."""
        if anchor is None or self.places[anchor].author != author:
            return True
        return (self.places[anchor].time, anchor) < (record.header.time, record.id)

    def _stands(self, author: bytes, prev: tuple[bytes, ...]) -> bool:
        """Whether a door of this author is among the ancestors (CHARTER-3)."""
        doors = self.doors.get(author, frozenset())
        more, met = list(prev), set(prev)
        while more:
            identifier = more.pop()
            if identifier in doors or self.places[identifier].author == author:
                return True  # what its author wrote is grounded
            fresh = [parent for parent in self.places[identifier].prev if parent not in met]
            met.update(fresh)
            more.extend(fresh)
        return False


def is_head(record: Record) -> bool:
    """Whether a record can be a head, or hide one (CHARTER-21)."""
    return not record.header.kind.startswith(BALLOT_PREFIX)
