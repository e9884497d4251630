"""Who stands: valid acts, standing doors, admitted keys, stewards, and the set of plane 0 (chapter 21).

All of it is judged within a past, given as bits of `Grounds`: an act's own past for its validity, all of it for
the set. Rights beyond purging and naming stewards are no business of this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from p2pcommons.commons.doors import Purge, Stewards
from p2pcommons.commons.grounding import Act, Door, Grounds

EVERYTHING: Final = -1
"""The past that holds every record."""


class Membership:
    """Who is in, on these grounds. Everything is settled by the constructor; the rest are questions to it."""

    __slots__ = (
        "_ends",
        "_grants",
        "_grounds",
        "_named",
        "_potential",
        "_quorums",
        "_scope",
        "_scope_doors",
        "_stewards",
        "_ways",
        "admitted",
        "purged",
        "set_bits",
        "set_ids",
        "standing",
        "valid",
    )

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._named: dict[bytes, list[Act]] = {}  # valid purges by key
        self._ways: dict[bytes, list[Act]] = {}  # valid purges by way
        self._grants: dict[bytes, list[Act]] = {}  # valid acts that add this steward
        self._ends: dict[bytes, list[Act]] = {}
        self._quorums: list[Act] = []  # valid acts that set the quorum
        self._stewards: dict[int, Mapping[bytes, bytes]] = {}
        self._potential = self._potential_stewards()
        self._scope_doors = self._doors_that_matter()
        acts = [act for act in grounds.acts if act.author in self._potential]
        self._scope = _union(door.bit for door in self._scope_doors) | _union(act.bit for act in acts)
        self.valid: list[Act] = []
        for act in acts:  # ancestors first: all acts in its past are settled
            if self._has_quorum(act):
                self._settle(act)
        self.standing = self._standing(grounds.doors, EVERYTHING)
        self.admitted = frozenset(
            door.key for door in grounds.doors if door.bit & self.standing and door.key not in self._named
        )
        self.purged = frozenset(self._named)
        self.set_ids = self._set()
        bits: list[Door | Act] = [*grounds.doors, *self.valid]
        self.set_bits = _union(one.bit for one in bits if one.id in self.set_ids)  # the past that the view sees

    def stewards(self, within: int) -> Mapping[bytes, bytes]:
        """The keys that act as stewards in this past, each with one same key for all keys of a person."""
        within &= self._scope
        found = self._stewards.get(within)
        if found is None:
            found = self._stewards[within] = self._stewards_within(within)
        return found

    def people(self, within: int) -> dict[bytes, bytes]:
        """The keys admitted in this past, each with the smallest of its person."""
        standing = self._standing(self._grounds.doors, within)
        person = persons([door for door in self._grounds.doors if door.bit & standing])
        purged = {key for key, acts in self._named.items() if any(act.bit & within for act in acts)}
        admitted = sorted(key for key in person if key not in purged)
        shown: dict[bytes, bytes] = {}
        return {key: shown.setdefault(person[key], key) for key in admitted}

    def quorum(self, within: int = EVERYTHING) -> int:
        """How many steward persons an act needs in this past (CHARTER-12)."""
        acts = [act for act in self._quorums if act.bit & within]
        latest = [act for act in acts if not any(act.bit & other.past for other in acts)]
        if latest:
            return max(act.form.quorum or 1 for act in latest if isinstance(act.form, Stewards))
        return self._grounds.founding.quorum if self._grounds.founding else 1

    def standing_within(self, within: int) -> int:
        """Bits of the doors that stand in a past."""
        return self._standing(self._grounds.doors, within)

    def is_closed(self, way: bytes, author: bytes) -> bool:
        """Whether a valid purge stops everyone who has not joined by this way yet."""
        return way in self._ways or author in self._named

    def lets_in(self, way: bytes, maker: bytes, makers_doors: int) -> bool:
        """Whether a join by this way, with these doors of its maker in its past, would stand (CHARTER-9)."""
        return bool(makers_doors & self.standing) and not self.is_closed(way, maker)

    def let_in(self, door: Door) -> None:
        """A join that stands came, of a key that nothing here names; `Grounds` has it already."""
        self.standing |= door.bit
        self.admitted |= {door.key}
        self.set_ids |= {door.id}
        self.set_bits |= door.bit

    def _has_quorum(self, act: Act) -> bool:  # CHARTER-13
        stewards = self.stewards(act.past)
        if act.author not in stewards:
            return False
        approving = (a.author for a in self._grounds.approvals.get(act.hash, ()) if a.bit & act.past)
        persons = {stewards[key] for key in (act.author, *approving) if key in stewards}
        return len(persons) >= self.quorum(act.past)

    def _settle(self, act: Act) -> None:
        self.valid.append(act)
        form = act.form
        if isinstance(form, Purge):
            for key in form.keys:
                self._named.setdefault(key, []).append(act)
            for way in form.doors:
                self._ways.setdefault(way, []).append(act)
            return
        for key in form.add:
            self._grants.setdefault(key, []).append(act)
        for key in form.end:
            self._ends.setdefault(key, []).append(act)
        if form.quorum is not None:
            self._quorums.append(act)

    def _standing(self, doors: Sequence[Door], within: int) -> int:  # CHARTER-9
        standing = 0
        for door in doors:
            if door.bit & within and (
                door.maker is None or (door.makers_doors & standing and not self._is_cut(door, door.maker, within))
            ):
                standing |= door.bit
        return standing

    def _is_cut(self, door: Door, maker: bytes, within: int) -> bool:
        return any(
            act.bit & within and not act.past & door.bit
            for acts in (self._named.get(maker), self._ways.get(door.way))
            if acts
            for act in acts
        )

    def _stewards_within(self, within: int) -> Mapping[bytes, bytes]:
        standing = self._standing(self._scope_doors, within)
        doors = [door for door in self._scope_doors if door.bit & standing]
        person = persons(doors)
        roles = {person[key] for key in person if self._holds_role(key, within)}
        return {
            key: root
            for key, root in person.items()
            if root in roles and not any(act.bit & within for act in self._named.get(key, ()))
        }

    def _holds_role(self, key: bytes, within: int) -> bool:  # CHARTER-11
        ends = _union(act.bit for act in self._ends.get(key, ())) & within
        founding = self._grounds.founding
        if not ends and founding and (key == self._grounds.founder or key in founding.stewards):
            return True
        # An end is undone only by a grant that knew of it.
        return any(act.bit & within and not ends & ~act.past for act in self._grants.get(key, ()))

    def _potential_stewards(self) -> frozenset[bytes]:
        """Keys that could be stewards in some past: more may be listed than are, never fewer."""
        founding = self._grounds.founding
        if founding is None:
            return frozenset()
        person = persons(self._grounds.doors)
        roots = {person.get(key, key) for key in (self._grounds.founder, *founding.stewards)}
        acts = [act for act in self._grounds.acts if isinstance(act.form, Stewards)]
        while True:
            added = {
                person.get(key, key)
                for act in acts
                if isinstance(act.form, Stewards) and person.get(act.author, act.author) in roots
                for key in act.form.add
            }
            if added <= roots:
                return frozenset(key for key, root in person.items() if root in roots)
            roots |= added

    def _doors_that_matter(self) -> list[Door]:
        """The doors on which a potential steward's standing can depend."""
        makers: dict[bytes, set[bytes]] = {}
        for door in self._grounds.doors:
            if door.maker is not None:
                makers.setdefault(door.key, set()).add(door.maker)
        keys = set(self._potential)
        more = list(keys)
        while more:
            fresh = makers.get(more.pop(), set()) - keys
            keys |= fresh
            more.extend(fresh)
        return [door for door in self._grounds.doors if door.key in keys]

    def _set(self) -> frozenset[bytes]:  # CHARTER-14
        records = self._grounds.records
        more: list[bytes] = [record.id for record in records.values() if record.header.author in self.admitted]
        more.extend(act.id for act in self.valid)
        found: set[bytes] = set(more)
        while more:
            for parent in records[more.pop()].header.prev:
                if parent not in found:
                    found.add(parent)
                    more.append(parent)
        return frozenset(found)


def persons(doors: Sequence[Door]) -> dict[bytes, bytes]:
    """Each key these doors let in, with one same key for all keys that their links join (CHARTER-10)."""
    above: dict[bytes, bytes] = {}

    def root(key: bytes) -> bytes:
        while above[key] != key:
            above[key] = key = above[above[key]]
        return key

    for door in doors:
        above.setdefault(door.key, door.key)
    for door in doors:
        if door.link and door.maker in above:
            first, second = sorted((root(door.key), root(door.maker)))
            above[second] = first
    return {key: root(key) for key in above}


def _union(bits: Iterable[int]) -> int:
    union = 0
    for bit in bits:
        union |= bit
    return union
