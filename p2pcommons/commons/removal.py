"""Strong removal: who is out, and which of their records do nothing (chapter 21, "Removal").

Asked within a past, as everything in chapter 22: a removal's right is judged where it stands, and which removals of a
past count is settled there. Sets never change by any of it. What the assembly decided comes in as `Votes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from p2pcommons.commons.cuts import NOTHING, Cut, joined
from p2pcommons.commons.doors import Stewards, act_hash
from p2pcommons.commons.grounding import Grounds
from p2pcommons.commons.matters import Topic
from p2pcommons.commons.membership import Membership
from p2pcommons.commons.pasts import Deed, Pasts, ancestors
from p2pcommons.commons.removal_bodies import Keep, Leave, Remove
from p2pcommons.core.record import Record

STEWARDS_TOPIC: Final = ("stewards", b"")


class Votes(Protocol):
    """What removals ask of the assembly."""

    def decides(self, topic: Topic, within: int, cut: Cut) -> tuple[str, int, frozenset[bytes]] | None:
        """The matter, the proposal's past, and the keys named, of what is in force on a topic in a past."""


@dataclass(slots=True, eq=False)
class Removal:
    """A removal or leaving whose author had the right to it."""

    deed: Deed
    form: Remove | Leave
    larger: int  # bits of what had seen an assembly twice as large, and not this
    cuts: dict[frozenset[bytes], Cut] = field(default_factory=dict)  # by the person's keys


class Departure(NamedTuple):
    """A removal or leaving that counts, of somebody who is out by it."""

    deed: Deed
    form: Remove | Leave
    keys: frozenset[bytes]  # of that person, those purged apart


class Removals:
    """The removals of one set, filled ancestors first."""

    def __init__(self, pasts: Pasts, grounds: Grounds, membership: Membership, votes: Votes) -> None:
        self.found: dict[bytes, Removal] = {}
        self.refused: dict[bytes, Deed] = {}  # without a right to it
        self.larger: Callable[[Deed], int] = lambda deed: 0
        self.unseated: Callable[[int], int] = lambda within: 0  # bits of the joins of a past that seat nobody
        self._kept: list[tuple[Deed, frozenset[bytes]]] = []
        self._pasts, self._grounds, self._membership, self._votes = pasts, grounds, membership, votes
        self._mask = 0  # bits of removals and of what they may depend on
        self._cuts: dict[int, Cut] = {}
        self._people: tuple[int, Mapping[bytes, bytes]] = (0, {})  # in the past asked last

    def watch(self, bits: int) -> None:
        """Take note of deeds that removals depend on: closings on persons and stewards."""
        self._mask |= bits

    def add(self, deed: Deed, form: Remove | Leave | Keep) -> None:
        """Judge a deed in its own past, and take it if its author had the right (CHARTER-28, CHARTER-29)."""
        members = self._pasts.members(deed.past)
        own = members.get(deed.author)
        if isinstance(form, Keep):
            if own is not None and self._by_stewards(deed, self.within(deed.past)):
                self._mask |= deed.bit
                self._kept.append((deed, form.ids))
            return
        if isinstance(form, Leave):
            right = own is not None and members.get(form.person) == own
        else:
            right = own is not None and self._may(deed, form, self.within(deed.past))
        if not right:
            self.refused[deed.id] = deed
            return
        larger = self.larger(deed)
        self._mask |= deed.bit | larger
        self.found[deed.id] = Removal(deed, form, larger)

    def outgrow(self, bit: int, larger: Callable[[Deed], bool]) -> None:
        """Let one more record outgrow removals that it did not know of."""
        for one in self.found.values():
            if larger(one.deed):
                one.larger |= bit
                self._mask |= bit

    def forget(self) -> None:
        """One more record came: what is cut is found anew."""
        if self.found:
            self._cuts.clear()
            for one in self.found.values():
                one.cuts.clear()

    def within(self, within: int) -> Cut:
        """What is cut in a past."""
        if not any(removal.deed.bit & within for removal in self.found.values()) and not self.unseated(within):
            return NOTHING
        within = self._seen(within)
        found = self._cuts.get(within)
        if found is None:
            found = self._cuts[within] = self._within(within)
        return found

    def stewards(self, within: int, cut: Cut) -> Mapping[bytes, bytes]:
        """The keys that act as stewards in this past, each with one same key for all keys of a person.

        By role, where what made them so is not cut, or named by the assembly.
        """
        found = dict(self.by_role(within, cut))
        named = self._votes.decides(STEWARDS_TOPIC, within, cut)
        if named is not None:
            members = self._membership.people(within & ~cut.doors)
            persons = {members[key] for key in (*named[2], *found) if key in members}
            found = {key: person for key, person in members.items() if person in persons}
        return {key: root for key, root in found.items() if key not in cut.gone}

    def by_role(self, within: int, cut: Cut) -> Mapping[bytes, bytes]:
        """The keys that hold the role of steward in this past, where what made them so is not cut: who is out as well."""
        dead = cut.doors
        if cut is not NOTHING:
            for act in self._membership.valid:  # ancestors first
                if isinstance(act.form, Stewards) and act.bit & within:
                    cut_off = cut.has(act.id, act.author)
                    if cut_off or act.author not in self._membership.stewards(act.past & ~dead):
                        dead |= act.bit
        return self._membership.stewards(within & ~dead)

    # -- what a charter shows

    def departures(self, within: int) -> list[Departure]:
        """What counts in a past, of persons who are out there; ancestors first."""
        counting, within = self.within(within).counting, self._seen(within)
        some = [one for one in self.found.values() if one.deed.id in counting]
        found = [Departure(one.deed, one.form, self._cut(one, within).gone) for one in some]
        return [one for one in found if one.keys]

    def kept(self, within: int) -> frozenset[bytes]:
        """What stewards let count of what persons who are out wrote in the catalogue (CHARTER-35)."""
        cut = self.within(within)
        return frozenset[bytes]().union(
            *(
                ids
                for deed, ids in self._kept
                if deed.bit & within and not cut.has(deed.id, deed.author) and self._by_stewards(deed, cut)
            )
        )

    def closing(self, within: int) -> Callable[[Record], bool]:
        """Says of a way whether whoever came in by it from here on would be cut."""
        cut, within = self.within(within), self._seen(within)
        removing = [
            (one, self._keys(one, within))
            for one in self.found.values()
            if one.deed.id in cut.counting and isinstance(one.form, Remove)
        ]

        def closes(way: Record) -> bool:
            author = way.header.author
            return author in cut.unseated or any(
                author in keys and not self._is_back(one, keys, self._pasts.past(way) or 0) for one, keys in removing
            )

        return closes

    # -- rights

    def _may(self, deed: Deed, form: Remove, cut: Cut) -> bool:
        if cut.has(deed.id, deed.author):
            return False
        decided = self._votes.decides(("person", form.person), deed.past, cut)
        return (decided is not None and decided[0] == "remove") or self._by_stewards(deed, cut)

    def _by_stewards(self, deed: Deed, cut: Cut) -> bool:
        stewards = self.stewards(deed.past, cut)
        if deed.author not in stewards:
            return False
        record = self._grounds.records[deed.id]
        wanted = act_hash(self._grounds.commons, record.header.kind, record.body or b"")
        signing = {
            one.author
            for one in self._pasts.approvals.get(wanted, ())
            if one.bit & deed.past and not cut.has(one.id, one.author)
        }
        persons = {stewards[key] for key in {deed.author, *signing} if key in stewards}
        return len(persons) >= self._membership.quorum(deed.past)

    # -- which of them count

    def _within(self, within: int) -> Cut:  # CHARTER-32
        here = [one for one in self.found.values() if one.deed.bit & within and not one.larger & within]
        counting = [one for one in here if isinstance(one.form, Leave)]
        rest = [one for one in here if isinstance(one.form, Remove)]
        cut = self._joined(counting, within)
        while True:
            rest = [one for one in rest if self._holds(one, cut)]
            sources = self._sources(rest, counting, within)
            if not sources:
                return cut
            fuller = self._joined([*counting, *sources], within)
            # A commons is never left without a way to act: what would leave nobody at all does not count.
            if self._membership.people(within & ~fuller.doors).keys() - fuller.gone:
                counting, cut = [*counting, *sources], fuller
            rest = [one for one in rest if one not in sources]

    def _holds(self, one: Removal, cut: Cut) -> bool:
        return isinstance(one.form, Leave) or self._may(one.deed, one.form, cut)

    def _sources(self, rest: list[Removal], counting: list[Removal], within: int) -> list[Removal]:
        """Those that no other, counting, would leave without right, but such as they would leave without right too."""
        reach: dict[bytes, set[bytes]] = {}
        for one in rest:
            after = self._joined([*counting, one], within)
            reach[one.deed.id] = {other.deed.id for other in rest if other is not one and not self._holds(other, after)}
        for middle in reach:  # transitive closure
            for others in reach.values():
                if middle in others:
                    others |= reach[middle]
        return [
            one
            for one in rest
            if all(one.deed.id not in others or other in reach[one.deed.id] for other, others in reach.items())
        ]

    def _joined(self, some: list[Removal], within: int) -> Cut:
        """All that these cut, with whom they leave without a door together, but for what is kept (CHARTER-30)."""
        cut = joined([self._cut(one, within) for one in some])
        if unseated := self.unseated(within):
            cut = cut._replace(doors=cut.doors | unseated)
        if cut.doors & within:
            left = self._membership.people(within & ~cut.doors)
            cut = cut._replace(unseated=frozenset(self._membership.people(within).keys() - left.keys()))
        keeping = [(deed, ids) for deed, ids in self._kept if deed.bit & within and not ids.isdisjoint(cut.ids)]
        kept = frozenset[bytes]().union(
            *(ids for deed, ids in keeping if not cut.has(deed.id, deed.author) and self._by_stewards(deed, cut))
        )
        return cut._replace(ids=cut.ids - kept) if kept else cut

    def _seen(self, within: int) -> int:
        """Of a past, what removals can depend on."""
        return within & (self._mask | self._pasts.who)

    def _keys(self, one: Removal, within: int) -> frozenset[bytes]:
        """All keys of the person."""
        within &= self._pasts.who
        if self._people[0] != within:
            self._people = within, self._membership.people(within)
        people = self._people[1]
        root = people.get(one.form.person)
        keys = frozenset(key for key, other in people.items() if other == root) if root else frozenset()
        return keys | {one.form.person}

    def _cut(self, one: Removal, within: int) -> Cut:
        keys = self._keys(one, within)
        if isinstance(one.form, Leave):
            back = any(
                door.key in keys and door.bit & within and self._pasts.door_pasts[door.id] & one.deed.bit
                for door in self._grounds.doors
                if door.id in self._pasts.door_pasts
            )
            return NOTHING if back else Cut(frozenset({one.deed.id}), keys, frozenset(), frozenset(), 0)
        found = one.cuts.get(keys)
        if found is None:
            found = one.cuts[keys] = self._cut_of(one, keys)
        return self._readmitted(one, found, within) if self._is_back(one, keys, within) else found

    def _is_back(self, one: Removal, keys: frozenset[bytes], within: int) -> bool:
        """Whether the assembly has let a removed person in again."""
        found = (self._votes.decides(("person", key), within, NOTHING) for key in keys)
        return any(one_of[0] == "admit" and one_of[1] & one.deed.bit for one_of in found if one_of is not None)

    def _readmitted(self, one: Removal, cut: Cut, within: int) -> Cut:
        """What stays cut of a person who is back: all that was not written, or made, since."""
        records = (self._grounds.records[identifier] for identifier in cut.ids)
        ids = frozenset(r.id for r in records if not self._is_back(one, cut.gone, self._pasts.past(r) or 0))
        doors = 0
        for door in self._grounds.doors:
            if door.bit & cut.doors and not self._is_back(one, cut.gone, self._pasts.door_pasts.get(door.id, 0)):
                doors |= door.bit
        return cut._replace(gone=frozenset(), ids=ids, doors=doors)

    def _cut_of(self, one: Removal, keys: frozenset[bytes]) -> Cut:
        """What of the whole set is cut: records of these keys, and joins by their ways, that the removal had not seen."""
        spared = ancestors(self._grounds.records, one.deed.id) | {one.deed.id}
        records = self._grounds.records.values()
        ids = frozenset(r.id for r in records if r.header.author in keys and r.id not in spared)
        doors = 0
        for door in self._grounds.doors:
            if door.maker in keys and not door.link and door.id not in spared:
                doors |= door.bit
        return Cut(frozenset({one.deed.id}), keys, ids, frozenset(), doors)
