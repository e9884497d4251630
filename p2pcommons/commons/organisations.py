"""Which members are organisations, who speaks for them, and what these approved of (chapter 21, "Organisations").

Asked within a past, and answered from it. People are persons: who is an organisation themselves speaks for nobody, so no
question leads to another one about organisations. Sets never change by any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from p2pcommons.commons.grounding import Grounds
from p2pcommons.commons.organisation_bodies import Declare, spoken_hash
from p2pcommons.commons.pasts import Ballot, Deed, Pasts
from p2pcommons.core.record import Record

DIVIDED_MAX: Final = 4  # declarations set without knowing of each other, each of which has to be satisfied


class Declared(NamedTuple):
    """A declaration that counts."""

    id: bytes
    bit: int
    past: int
    author: bytes
    people: frozenset[bytes]
    quorum: int


class Organisation(NamedTuple):
    """An organisation as a past has it."""

    person: bytes  # the smallest of its keys
    declared: tuple[Declared, ...]  # in force, ascending by id; more than one where they did not know of each other
    needed: int  # how many persons have to approve, by each of these


class Organisations:
    """The organisations of one set, filled ancestors first."""

    def __init__(self, pasts: Pasts, grounds: Grounds, needed: Callable[[int], int]) -> None:
        """`needed`: how many have to approve at least, by the rules in force in a past."""
        self._pasts, self._grounds, self._needed = pasts, grounds, needed
        self._bits = 0  # of declarations that count
        self._by_bit: dict[int, Declared] = {}
        self._by_key: dict[bytes, int] = {}
        self._keys: dict[int, dict[bytes, list[bytes]]] = {}  # keys that declared, by person, in a past of doors
        self._dead: dict[frozenset[bytes], int] = {}  # approvals among what is cut
        self._said: dict[bytes, bool | None] = {}  # of records, by their own past: for ever

    def add(self, deed: Deed, form: Declare) -> None:
        """Judge a declaration in its own past, and take it if its author may say so (CHARTER-39)."""
        if deed.author not in self._pasts.members(deed.past):
            return
        record = self._grounds.records[deed.id]
        if self.agreed(deed.author, deed.past, self._name(record), ruled=False) is False:
            return
        if deed.author not in self._by_key:
            self._keys.clear()
        self._bits |= deed.bit
        self._by_bit[deed.bit] = Declared(deed.id, deed.bit, deed.past, deed.author, form.people, form.quorum)
        self._by_key[deed.author] = self._by_key.get(deed.author, 0) | deed.bit

    def speaks(self, record: Record, past: int) -> bool | None:
        """Whether the people of the organisation that wrote a record approved of it; None where no organisation did."""
        if not past & self._bits:
            return None
        if record.id not in self._said:
            self._said[record.id] = self.agreed(record.header.author, past, self._name(record))
        return self._said[record.id]

    def casts(self, ballot: Ballot) -> bool | None:
        """The same of a ballot."""
        return self.speaks(self._grounds.records[ballot.id], ballot.past)

    def agreed(self, author: bytes, past: int, wanted: bytes, *, ruled: bool = True) -> bool | None:
        """Whether the people of the organisation that a key belongs to approved of an act, by what they sign (CHARTER-41).

        None where it belongs to no organisation. `ruled`: whether the rule `organisations` says how many at least.
        """
        declared = self._in_force(author, past)
        if not declared:
            return None
        if len(declared) > DIVIDED_MAX:
            return False
        signed = self.signed(wanted, past)
        least = self._needed(past) if ruled else 1
        people = self._pasts.people(past)
        return all(
            len(signed & {people[key] for key in one.people if key in people}) >= max(one.quorum, least)
            for one in declared
        )

    def signed(self, wanted: bytes, past: int) -> set[bytes]:
        """The persons who approved of an act in a past, by one key each: members who are no organisations."""
        members, people = self._pasts.members(past), self._pasts.people(past)
        found, here = set(), past & ~self._cut(past)
        for author, bits in self._pasts.signed.get(wanted, {}).items():
            if bits & here and author in members and not self._bits_of(people[author], past):
                found.add(people[author])
        return found

    def of(self, author: bytes, past: int) -> Organisation | None:
        """The organisation that a key belongs to in a past."""
        declared = self._in_force(author, past)
        if not declared:
            return None
        least = max(self._needed(past), *(one.quorum for one in declared))
        return Organisation(self._pasts.people(past)[author], tuple(sorted(declared)), least)

    def all(self, past: int) -> dict[bytes, Organisation]:
        """All organisations of a past, by person, ascending."""
        people = self._pasts.people(past)
        persons = sorted({people[key] for key in self._by_key if key in people})
        found = ((person, self.of(person, past)) for person in persons)
        return {person: one for person, one in found if one is not None}

    def _in_force(self, author: bytes, past: int) -> list[Declared]:
        """The declarations of a key's person that no other that counts came after (CHARTER-40).

        One more than `DIVIDED_MAX` at most: somebody may write thousands.
        """
        person = self._pasts.people(past).get(author) if past & self._bits else None
        left = 0 if person is None else self._bits_of(person, past)
        found: list[Declared] = []
        while left and len(found) <= DIVIDED_MAX:
            one = self._by_bit[1 << (left.bit_length() - 1)]  # what comes after has the higher bit
            found.append(one)
            left &= ~(one.bit | one.past)
        return found

    def _bits_of(self, person: bytes, past: int) -> int:
        """The declarations of a person's keys in a past: a removal undoes none, so who comes back is bound by them."""
        doors = past & self._pasts.who
        keys = self._keys.get(doors)
        if keys is None:
            people, keys = self._pasts.people(past), {}
            for key in self._by_key:
                if key in people:
                    keys.setdefault(people[key], []).append(key)
            self._keys[doors] = keys
        bits = 0
        for key in keys.get(person, ()):
            bits |= self._by_key[key]
        return bits & past

    def _cut(self, past: int) -> int:
        """The approvals that removals of a past cut."""
        ids = self._pasts.cut_in(past).ids
        if not ids:
            return 0
        if ids not in self._dead:
            dead = 0
            for identifier in ids:
                dead |= self._pasts.approving.get(identifier, 0)
            self._dead[ids] = dead
        return self._dead[ids]

    def _name(self, record: Record) -> bytes:
        header = record.header
        return spoken_hash(self._grounds.commons, header.author, header.kind, record.body or b"")


def shown(some: Mapping[bytes, Organisation]) -> list[list[object]]:
    """Organisations as a canonical value: of each its key, how many approve, and whom each declaration in force names."""
    return [
        [person, one.needed, [[declared.id, sorted(declared.people), declared.quorum] for declared in one.declared]]
        for person, one in some.items()
    ]
